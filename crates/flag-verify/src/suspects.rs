//! A second look at exposures whose fingerprints occur twice: names them, and tells collisions.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use flag_model::{FlagKey, FlagValue, Timestamp};
use flag_store::BatchPage;

use crate::fault::{Fault, FaultKind};
use crate::fingerprints::{self, MAX_SUSPECTS, Repeated};
use crate::logged;
use crate::report::{MAX_NAMED, Report};

/// Exposures whose fingerprints occur twice.
#[derive(Debug)]
pub(crate) struct Suspects {
    keys: HashSet<u64>,
    instances: HashSet<u64>,
    repeated: Repeated,
    /// How often each key was met: flag, instance, request and time.
    met: BTreeMap<(String, String, String, Timestamp), u64>,
    /// Two values of each flag, revision and instance, at most.
    values: BTreeMap<(String, Timestamp, String), BTreeSet<String>>,
}

/// An exposure, as far as it matters here.
struct Seen<'a> {
    flag: &'a str,
    hash: u64,
    instance: &'a str,
    request_id: &'a str,
    created: Timestamp,
    revision: Option<Timestamp>,
    value: &'a FlagValue,
}

impl Suspects {
    /// `None` if nothing occurs twice.
    pub(crate) fn of(repeated: Repeated) -> Option<Self> {
        if repeated.keys.is_empty() && repeated.instances.is_empty() {
            return None;
        }
        Some(Self {
            keys: repeated.keys.iter().copied().collect(),
            instances: repeated.instances.iter().copied().collect(),
            repeated,
            met: BTreeMap::new(),
            values: BTreeMap::new(),
        })
    }

    /// Looks at a page.
    pub(crate) fn page(&mut self, page: &BatchPage) {
        for record in &page.records {
            let Ok(Some(logged)) = logged::read(record) else {
                continue;
            };
            let flag = name(&logged.flag);
            self.check_entry(&Seen {
                hash: fingerprints::of_text(&flag),
                flag: &flag,
                instance: logged.instance.as_str(),
                request_id: &logged.request_id,
                created: logged.created,
                revision: logged.revision,
                value: &logged.value,
            });
        }
        for batch in &page.batches {
            let flags = batch.templates().iter().map(|of| name(&of.flag));
            let flags: Vec<_> = flags.map(|of| (fingerprints::of_text(&of), of)).collect();
            for entry in batch.entries() {
                let index = entry.template.get();
                if let (Some((hash, flag)), Some(template)) =
                    (flags.get(index), batch.template(entry.template))
                {
                    self.check_entry(&Seen {
                        flag,
                        hash: *hash,
                        instance: entry.instance,
                        request_id: entry.request_id,
                        created: entry.created,
                        revision: template.revision,
                        value: &template.value,
                    });
                }
            }
        }
    }

    fn check_entry(&mut self, seen: &Seen<'_>) {
        let Seen { hash, instance, .. } = *seen;
        let created = seen.created.unix_micros();
        let key = fingerprints::of_key(hash, instance, seen.request_id, created);
        if self.keys.contains(&key) {
            let (flag, request) = (seen.flag.to_owned(), seen.request_id.to_owned());
            let key = (flag, instance.to_owned(), request, seen.created);
            *self.met.entry(key).or_default() += 1;
        }
        if let Some(revision) = seen.revision {
            let key = fingerprints::of_instance(hash, revision.unix_micros(), instance);
            if self.instances.contains(&key) {
                let key = (seen.flag.to_owned(), revision, instance.to_owned());
                let values = self.values.entry(key).or_default();
                if values.len() < 2 {
                    values.insert(seen.value.to_string());
                }
            }
        }
    }

    /// Adds the faults to a report. Beyond the most suspects they are counted by their fingerprints.
    pub(crate) fn add_to(self, report: &mut Report) {
        let Repeated {
            keys, instances, ..
        } = &self.repeated;
        let mut further = 0;
        for ((flag, instance_id, request_id, created), count) in self.met {
            further += count - 1;
            if count > 1 {
                report.name(Fault {
                    kind: FaultKind::Duplicate,
                    flag,
                    instance_id,
                    request_id,
                    created: created.to_string(),
                    revision: String::new(),
                    what: format!("logged {count} times"),
                    logged: String::new(),
                    decided: String::new(),
                });
            }
        }
        if keys.len() >= MAX_SUSPECTS {
            further = self.repeated.further_keys;
        }
        let mut both = 0;
        for ((flag, revision, instance_id), values) in self.values {
            let revision = revision.to_string();
            let values = Vec::from_iter(values);
            let [one, other] = values.as_slice() else {
                continue;
            };
            if report.explains(&flag, &revision, &instance_id) {
                continue;
            }
            both += 1;
            report.name(Fault {
                kind: FaultKind::TwoValues,
                flag,
                instance_id,
                request_id: String::new(),
                created: String::new(),
                revision,
                what: "AssignedValue".to_owned(),
                logged: one.clone(),
                decided: other.clone(),
            });
        }
        if instances.len() >= MAX_SUSPECTS {
            both = self.repeated.all_instances;
        }
        report.faults.insert(FaultKind::Duplicate, further);
        report.faults.insert(FaultKind::TwoValues, both);
    }
}

impl Report {
    /// Whether an answer that was decided otherwise is named, which is why the instance has two values.
    fn explains(&self, flag: &str, revision: &str, instance: &str) -> bool {
        self.findings.iter().any(|fault| {
            fault.kind == FaultKind::DecidedOtherwise
                && fault.flag == flag
                && fault.revision == revision
                && fault.instance_id == instance
        })
    }

    /// Names a fault unless there are many of its kind.
    fn name(&mut self, fault: Fault) {
        let kind = fault.kind;
        let of_kind = self.findings.iter().filter(|named| named.kind == kind);
        if of_kind.count() < MAX_NAMED {
            self.findings.push(fault);
        }
    }
}

fn name(flag: &FlagKey) -> String {
    format!("{}/{}", flag.flag_type, flag.name)
}
