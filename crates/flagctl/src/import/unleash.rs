//! Unleash: an export of the features of a project (`POST /api/admin/features-batch/export`), for one environment.
//!
//! A feature is on if its environment is and one of its strategies takes the user. Its variants, which are served while it is
//! on, become a flag of texts beside the flag of booleans.

mod strategy;

use flag_model::FlagValue;

use self::strategy::{Taken, check_stickiness, taken};
use super::ImportError;
use super::collect::{About, Collector, Decides};
use super::decimal::{Decimal, Unit};
use super::item::{Item, Read, left_out};
use super::rules::{Choice, ImportedRules};

/// How many of a thousand a weight is of.
const WEIGHTS: &str = "a weight, a part of 1000";

/// The features and what belongs to them, by name.
struct Parts<'n> {
    environments: Vec<Item<'n>>,
    strategies: Vec<Item<'n>>,
    tags: Vec<Item<'n>>,
    dependencies: Vec<Item<'n>>,
}

/// Whether this is such a file.
pub(super) fn wrote(root: &Item<'_>) -> bool {
    root.field("features").is_some() && root.field("featureStrategies").is_some()
}

/// Reads its features.
pub(super) fn read(root: &Item<'_>, collector: &mut Collector<'_>) -> Result<(), ImportError> {
    let Some((features, parts)) = collector.read(parts(root)) else {
        return Ok(());
    };
    let mut found = Vec::new();
    for item in &parts.environments {
        let name = collector.read(item.text_of("environment")).flatten();
        found.extend(name.filter(|name| !found.contains(name)));
    }
    let environment = collector.environment(&found)?;
    for feature in &features {
        if let Some(name) = collector.read(feature.required_text("name")) {
            let of_flag = parts.of(name, &environment);
            let Some((about, (of_flag, variants))) = collector
                .read(about(feature, &parts, name).and_then(|about| Ok((about, of_flag?))))
            else {
                continue;
            };
            let Some(is_archived) = collector.read(feature.boolean_of("archived")) else {
                continue;
            };
            if is_archived == Some(true) {
                collector.leave_out(Some(name), "it is archived");
                continue;
            }
            collector.flag(name, feature, &about, of_flag.decides());
            if !variants.is_empty() {
                collector.flag(name, feature, &about, of_flag.texts(&variants));
            }
        }
    }
    Ok(())
}

fn parts<'n>(root: &Item<'n>) -> Read<(Vec<Item<'n>>, Parts<'n>)> {
    let parts = Parts {
        environments: root.items_of("featureEnvironments")?,
        strategies: root.items_of("featureStrategies")?,
        tags: root.items_of("featureTags")?,
        dependencies: root.items_of("dependencies")?,
    };
    Ok((root.required("features")?.items()?, parts))
}

/// What decides on a feature in an environment.
struct OfFeature<'n> {
    is_on: bool,
    /// Those that are not disabled.
    strategies: Vec<Item<'n>>,
    has_disabled: bool,
    has_parent: bool,
}

impl<'n> Parts<'n> {
    /// What decides on a feature, and its variants.
    fn of(&self, name: &str, environment: &str) -> Read<(OfFeature<'n>, Vec<Item<'n>>)> {
        let mut is_on = false;
        let mut variants = Vec::new();
        for item in of_feature(&self.environments, "featureName", name)? {
            if item.required_text("environment")? == environment {
                is_on = item.required("enabled")?.boolean()?;
                variants = item.items_of("variants")?;
            }
        }
        let mut strategies = of_feature(&self.strategies, "featureName", name)?;
        let all = strategies.len();
        let mut disabled = Vec::new();
        for strategy in &strategies {
            let of_other = strategy
                .text_of("environment")?
                .is_some_and(|of| of != environment);
            disabled.push(of_other || strategy.boolean_of("disabled")? == Some(true));
        }
        let mut disabled = disabled.into_iter();
        strategies.retain(|_| disabled.next() != Some(true));
        let mut of_strategies = Vec::new();
        for strategy in &strategies {
            of_strategies.extend(strategy.items_of("variants")?);
        }
        if !of_strategies.is_empty() {
            variants = of_strategies;
        }
        let mut parents = of_feature(&self.dependencies, "feature", name)?;
        parents.retain(|of| {
            of.field("dependencies")
                .is_some_and(|all| !all.says_nothing())
        });
        let of_flag = OfFeature {
            is_on,
            has_disabled: strategies.len() < all,
            strategies,
            has_parent: !parents.is_empty(),
        };
        Ok((of_flag, variants))
    }
}

fn of_feature<'n>(items: &[Item<'n>], field: &str, name: &str) -> Read<Vec<Item<'n>>> {
    let mut found = Vec::new();
    for item in items {
        if item.required_text(field)? == name {
            found.push(item.clone());
        }
    }
    Ok(found)
}

fn about<'n>(feature: &Item<'n>, parts: &Parts<'n>, name: &str) -> Read<About<'n>> {
    let mut tags = Vec::new();
    for tag in of_feature(&parts.tags, "featureName", name)? {
        let value = tag.required_text("tagValue")?;
        tags.push(match tag.text_of("tagType")?.unwrap_or("simple") {
            "simple" => value.to_owned(),
            tag_type => format!("{tag_type}:{value}"),
        });
    }
    Ok(About {
        descriptions: vec![feature.text_of("description")?],
        owner: None,
        tags,
    })
}

impl OfFeature<'_> {
    /// Whether the feature is on.
    fn decides(&self) -> Read<Decides> {
        if !self.is_on {
            let mut off: Decides = ImportedRules::of_everybody(Choice::boolean(false)).into();
            if !self.strategies.is_empty() {
                let part = "it is off; its strategies, which do not count then";
                off.parts.push(part.to_owned());
            }
            return Ok(off);
        }
        if self.has_parent {
            return left_out("it depends on another feature");
        }
        Ok(self.rules()?.into())
    }

    fn rules(&self) -> Read<ImportedRules> {
        if self.strategies.is_empty() {
            if self.has_disabled {
                return left_out("all its strategies are disabled");
            }
            return Ok(ImportedRules::of_everybody(Choice::boolean(true)));
        }
        let mut rules = ImportedRules::default();
        let mut shares = Vec::new();
        for strategy in &self.strategies {
            match taken(strategy)? {
                Taken::Ids(ids) => rules.list(Choice::boolean(true), ids)?,
                Taken::Share(share) => shares.push(share),
            }
        }
        // Strategies are joined by "or"; one for everybody includes all others.
        let everybody = shares.contains(&Decimal::HUNDRED);
        match shares.as_slice() {
            _ if everybody => rules.everybody(Choice::boolean(true)),
            [] => {}
            [share] => {
                rules.shares(vec![(Choice::boolean(true), *share)], Unit::Percent)?;
            }
            _ => return left_out("several strategies have a percentage"),
        }
        rules.everybody(Choice::boolean(false));
        Ok(rules)
    }

    /// Which text is served while the feature is on, if it is on for everybody.
    fn texts(&self, variants: &[Item<'_>]) -> Read<Decides> {
        let whole = self.is_on && !self.has_parent && self.is_for_everybody()?;
        if !whole {
            return left_out("its texts: it is not on for everybody, and the others get none");
        }
        if self.strategies.len() > 1 && self.have_variants()? {
            return left_out(
                "its texts: it has several strategies, and the first that takes an instance chooses among texts of its own",
            );
        }
        let mut rules = ImportedRules::default();
        let mut shares = Vec::new();
        for variant in variants {
            let choice = text(variant)?;
            for list in variant.items_of("overrides")? {
                if list.text_of("contextName")? != Some("userId") {
                    return left_out("its texts: an override by another field than userId");
                }
                rules.list(choice.clone(), list.texts_of("values")?)?;
            }
            check_stickiness(variant.text_of("stickiness")?, "its texts")?;
            let weight = variant.required("weight")?;
            let Some(amount) = Decimal::parse(weight.digits()?) else {
                return weight.expected(WEIGHTS);
            };
            shares.push((choice, amount));
        }
        check_sum(&shares)?;
        rules.shares(shares, Unit::PerMille)?;
        Ok(rules.into())
    }

    /// Whether a strategy has variants of its own.
    fn have_variants(&self) -> Read<bool> {
        for strategy in &self.strategies {
            if !strategy.items_of("variants")?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_for_everybody(&self) -> Read<bool> {
        if self.strategies.is_empty() {
            return Ok(!self.has_disabled);
        }
        for strategy in &self.strategies {
            if matches!(taken(strategy)?, Taken::Share(share) if share == Decimal::HUNDRED) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Unleash divides each weight by their sum.
fn check_sum(shares: &[(Choice, Decimal)]) -> Read<()> {
    let mut weights = shares.iter().map(|(_, weight)| *weight);
    match weights.try_fold(Decimal::ZERO, Decimal::plus) {
        Some(sum) if !sum.is_above(Decimal::THOUSAND) && !Decimal::THOUSAND.is_above(sum) => Ok(()),
        Some(sum) => left_out(format!(
            "its texts: their weights add up to {sum} and not to 1000, of which Unleash makes other shares"
        )),
        None => left_out("its texts: their weights have too many digits"),
    }
}

/// The text of a variant: its payload, or its name if it has none.
fn text(variant: &Item<'_>) -> Read<Choice> {
    let name = variant.required_text("name")?;
    let text = match variant.field("payload") {
        None => name,
        Some(payload) => match payload.required_text("type")? {
            "string" => payload.required_text("value")?,
            other => return left_out(format!("its texts: their payload is `{other}`")),
        },
    };
    match FlagValue::text(text) {
        Ok(value) => Ok(Choice::new(name, value)),
        Err(invalid) => left_out(invalid.to_string()),
    }
}
