// The page: fetches questions from its own origin, and asks the service, which is of another.
import { OpenFeature, ProviderEvents } from '@openfeature/web-sdk';
import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';

const client = OpenFeature.getClient();
let changes = 0;
client.addHandler(ProviderEvents.ConfigurationChanged, () => (changes += 1));
const requests = [];

// What the provider sent and got.
async function recorded(input, init) {
  const asked = new Headers(init?.headers ?? input.headers).get('if-none-match');
  const response = await fetch(input, init);
  const [etag, retryAfter] = ['etag', 'retry-after'].map((name) => response.headers.get(name));
  requests.push({ status: response.status, etag, retryAfter, asked });
  return response;
}

async function open({ url, apiKey, targetingKey, pollInterval }) {
  const headers = apiKey ? [['Authorization', `Bearer ${apiKey}`]] : [];
  await OpenFeature.setContext({ targetingKey, plan: 'premium' });
  const provider = new OFREPWebProvider({ baseUrl: url, headers, pollInterval: pollInterval ?? 0, cacheMode: 'disabled', fetchImplementation: recorded });
  try {
    await OpenFeature.setProviderAndWait(provider);
    return {};
  } catch (error) {
    return { errorMessage: String(error) };
  }
}

async function change({ targetingKey }) {
  await OpenFeature.setContext({ targetingKey, plan: 'premium' });
  return {};
}

async function evaluate(question) {
  const { value, reason, variant, errorCode, errorMessage, flagMetadata } =
    question.type === 'boolean'
      ? client.getBooleanDetails(question.key, question.default)
      : client.getStringDetails(question.key, question.default);
  return { value, reason, variant, errorCode, errorMessage, metadata: flagMetadata };
}

// Waits until a flag has a value: by polling of the provider's own, or by an event.
async function until(question) {
  const end = Date.now() + 40000;
  for (;;) {
    const found = await evaluate(question);
    if (found.value === question.value || Date.now() > end) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const operations = { open, change, evaluate, until, state: async () => ({ changes, requests: requests.splice(0) }) };
for (;;) {
  const question = await (await fetch('/question')).json();
  let answer;
  try {
    answer = await operations[question.op](question);
  } catch (error) {
    answer = { thrown: String(error) };
  }
  await fetch('/answer', { method: 'POST', body: JSON.stringify(answer) });
}
