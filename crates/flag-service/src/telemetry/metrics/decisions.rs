//! Decisions, by the rule that made them.

use flag_model::Reason;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Decisions that were served, by reason.
#[derive(Debug)]
pub(crate) struct DecisionMetrics {
    by_override: Counter,
    by_rollout: Counter,
    control: Counter,
}

/// How many decisions each rule made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DecisionCounts {
    by_override: u64,
    by_rollout: u64,
    control: u64,
}

impl DecisionCounts {
    /// Adds a decision.
    pub(crate) fn add(&mut self, reason: Reason) {
        *match reason {
            Reason::Override => &mut self.by_override,
            Reason::Rollout => &mut self.by_rollout,
            // No decision is for that reason.
            Reason::Control | Reason::Delivered => &mut self.control,
        } += 1;
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    reason: &'static str,
}

impl DecisionMetrics {
    /// Registers the metrics.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let decisions = Family::<Labels, Counter>::default();
        registry.register(
            "decisions",
            "Decisions served, by the rule that made them",
            decisions.clone(),
        );
        let of = |reason: Reason| {
            let reason = reason.as_str();
            decisions.get_or_create_owned(&Labels { reason })
        };
        Self {
            by_override: of(Reason::Override),
            by_rollout: of(Reason::Rollout),
            control: of(Reason::Control),
        }
    }

    /// Counts a served decision.
    pub(crate) fn count(&self, reason: Reason) {
        let decisions = match reason {
            Reason::Override => &self.by_override,
            Reason::Rollout => &self.by_rollout,
            // No decision is for that reason.
            Reason::Control | Reason::Delivered => &self.control,
        };
        decisions.inc();
    }

    /// Counts served decisions.
    pub(crate) fn count_all(&self, counts: DecisionCounts) {
        self.by_override.inc_by(counts.by_override);
        self.by_rollout.inc_by(counts.by_rollout);
        self.control.inc_by(counts.control);
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn each_reason_is_counted_apart() {
        let mut registry = Registry::default();
        let decisions = DecisionMetrics::register(&mut registry);
        let counts = [
            (Reason::Override, 1),
            (Reason::Rollout, 2),
            (Reason::Control, 3),
        ];
        let mut together = DecisionCounts::default();
        for (reason, count) in counts {
            decisions.count(reason);
            (1..count).for_each(|_| together.add(reason));
        }
        decisions.count_all(together);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for (reason, count) in counts {
            let line = format!("decisions_total{{reason=\"{reason}\"}} {count}\n");
            assert!(text.contains(&line), "{text}");
        }
    }
}
