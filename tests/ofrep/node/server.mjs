// OpenFeature in Node.js with its OFREP provider: reads questions, one JSON object per line, and answers each with one.
import { createInterface } from 'node:readline';
import { OpenFeature } from '@openfeature/server-sdk';
import { OFREPProvider } from '@openfeature/ofrep-provider';

async function open({ url, apiKey }) {
  const headers = apiKey ? [['Authorization', `Bearer ${apiKey}`]] : [];
  await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: url, headers }));
  return {};
}

async function evaluate(question) {
  const context = { targetingKey: question.targetingKey, plan: 'premium' };
  const client = OpenFeature.getClient();
  const { value, reason, variant, errorCode, errorMessage, flagMetadata } =
    question.type === 'boolean'
      ? await client.getBooleanDetails(question.key, question.default, context)
      : await client.getStringDetails(question.key, question.default, context);
  return { value, reason, variant, errorCode, errorMessage, metadata: flagMetadata };
}

const operations = { open, evaluate };
for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  console.log(JSON.stringify(await operations[question.op](question)));
}
