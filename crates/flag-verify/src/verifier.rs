//! Decides exposures again, flag after flag, and counts what comes out.

#[cfg(test)]
mod tests;

use flag_model::{FlagKey, InstanceId, Invalid, Reason, Timestamp};
use flag_store::{
    BatchEntry, BatchPage, ExposureBatch, ExposureRecord, ExposureTemplate, FlagStore, StoreError,
    UnreadableBatch,
};

use crate::check::{Comparison, LoggedDecision, check};
use crate::fault::{Fault, FaultKind};
use crate::fingerprints::{self, Fingerprints};
use crate::ids::KnownIds;
use crate::logged::{self, Logged};
use crate::report::{FlagReport, Report};
use crate::revisions::{OwnRevision, Revisions};

/// Decides exposures again.
#[derive(Debug)]
pub(crate) struct Verifier<'a> {
    store: &'a FlagStore,
    ids: &'a KnownIds,
    pub(crate) report: Report,
    pub(crate) fingerprints: Fingerprints,
    current: Option<Current<'a>>,
}

/// The flag whose exposures were read last.
#[derive(Debug)]
struct Current<'a> {
    revisions: Revisions<'a>,
    name: String,
    hash: u64,
    report: FlagReport,
}

/// What exposures of the same template have in common.
struct TemplateCheck<'o> {
    template: &'o ExposureTemplate,
    own: Option<OwnRevision>,
    value: u64,
    /// How many count for the split.
    counted: u64,
}

/// An exposure, with what is its own.
struct Entry<'e> {
    served: LoggedDecision<'e>,
    request_id: &'e str,
    created: Timestamp,
}

impl<'a> Verifier<'a> {
    /// Goes on with a report.
    pub(crate) fn new(
        (store, ids): (&'a FlagStore, &'a KnownIds),
        report: Report,
        fingerprints: Fingerprints,
    ) -> Self {
        Self {
            store,
            ids,
            report,
            fingerprints,
            current: None,
        }
    }

    /// Decides the exposures of a page again.
    pub(crate) async fn page(&mut self, page: &BatchPage) -> Result<(), StoreError> {
        for record in &page.records {
            self.record(record).await?;
        }
        for batch in &page.batches {
            self.batch(batch).await?;
        }
        for batch in &page.unreadable {
            self.unreadable_batch(batch).await?;
        }
        Ok(())
    }

    /// Puts the counts of the present flag into the report.
    pub(crate) fn flush_current(&mut self) {
        if let Some(current) = &mut self.current {
            let report = std::mem::take(&mut current.report);
            self.report.flags.insert(current.name.clone(), report);
        }
        self.current = None;
    }

    async fn enter(&mut self, flag: &FlagKey) -> Result<(), StoreError> {
        let is_current = |current: &Current<'_>| current.revisions.flag() == flag;
        if self.current.as_ref().is_some_and(is_current) {
            return Ok(());
        }
        self.flush_current();
        let name = format!("{}/{}", flag.flag_type, flag.name);
        let report = self.report.flags.remove(&name).unwrap_or_default();
        self.current = Some(Current {
            revisions: Revisions::open(self.store, self.ids, flag.clone()).await?,
            hash: fingerprints::of_text(&name),
            name,
            report,
        });
        Ok(())
    }

    async fn batch(&mut self, batch: &ExposureBatch) -> Result<(), StoreError> {
        let mut flags: Vec<&FlagKey> = batch.templates().iter().map(|of| &of.flag).collect();
        flags.sort_unstable();
        flags.dedup();
        for flag in flags {
            self.enter(flag).await?;
            self.batch_of(batch, flag).await?;
        }
        Ok(())
    }

    async fn batch_of(&mut self, batch: &ExposureBatch, flag: &FlagKey) -> Result<(), StoreError> {
        let Some(current) = &mut self.current else {
            return Ok(());
        };
        let mut templates = Vec::with_capacity(batch.templates().len());
        for template in batch.templates() {
            templates.push(if template.flag == *flag {
                Some(TemplateCheck::new(template, &mut current.revisions).await?)
            } else {
                None
            });
        }
        for entry in batch.entries() {
            let Some(Some(of)) = templates.get_mut(entry.template.get()) else {
                continue;
            };
            let context = (self.ids, &mut self.fingerprints);
            let fault = match InstanceId::new(entry.instance) {
                Ok(instance) => {
                    current.check_entry(of, &Entry::of(&entry, of.template, &instance), context)
                }
                Err(invalid) => Some(current.unreadable(of, &entry, &invalid)),
            };
            if let Some(fault) = fault {
                self.report.add(fault);
            }
        }
        for of in templates.into_iter().flatten() {
            current.report.count(&of);
        }
        Ok(())
    }

    async fn record(&mut self, record: &ExposureRecord) -> Result<(), StoreError> {
        let logged = match logged::read(record) {
            Ok(Some(logged)) => logged,
            Ok(None) => return self.without_revision(record).await,
            Err(what) => return self.unreadable(record, what).await,
        };
        self.enter(&logged.flag).await?;
        let Some(current) = &mut self.current else {
            return Ok(());
        };
        let template = logged.template();
        let mut of = TemplateCheck::new(&template, &mut current.revisions).await?;
        let entry = Entry {
            served: LoggedDecision {
                instance: &logged.instance,
                value: &template.value,
                group: &template.rollout_group,
                reason: template.reason,
                bucket: logged.bucket,
            },
            request_id: &logged.request_id,
            created: logged.created,
        };
        let fault = current.check_entry(&mut of, &entry, (self.ids, &mut self.fingerprints));
        current.report.count(&of);
        if let Some(fault) = fault {
            self.report.add(fault);
        }
        Ok(())
    }

    /// Only damage or an alteration explains one: services write what they can read.
    async fn unreadable_batch(&mut self, batch: &UnreadableBatch) -> Result<(), StoreError> {
        self.enter(&batch.flag).await?;
        if let Some(current) = &mut self.current {
            current.report.exposures += batch.exposure_count;
            current.report.unreadable += batch.exposure_count;
        }
        let (oldest, newest) = (batch.oldest, batch.newest);
        let fault = Fault {
            kind: FaultKind::Unreadable,
            flag: format!("{}/{}", batch.flag.flag_type, batch.flag.name),
            instance_id: String::new(),
            request_id: String::new(),
            created: oldest.to_string(),
            revision: String::new(),
            what: batch.problem.clone(),
            logged: format!("{} exposures until {newest}", batch.exposure_count),
            decided: String::new(),
        };
        self.report.add_many(fault, batch.exposure_count);
        Ok(())
    }

    async fn without_revision(&mut self, record: &ExposureRecord) -> Result<(), StoreError> {
        if let Some((flag, _)) = logged::key_of(record) {
            self.enter(&flag).await?;
        }
        if let Some(current) = &mut self.current {
            current.report.exposures += 1;
            current.report.without_revision += 1;
        }
        Ok(())
    }

    async fn unreadable(
        &mut self,
        record: &ExposureRecord,
        what: String,
    ) -> Result<(), StoreError> {
        let text = record.text();
        let mut flag = String::new();
        if let Some((of, _)) = logged::key_of(record) {
            self.enter(&of).await?;
            flag = format!("{}/{}", of.flag_type, of.name);
        }
        if let Some(current) = self.current.as_mut().filter(|of| of.name == flag) {
            current.report.exposures += 1;
            current.report.unreadable += 1;
        }
        self.report.add(Fault {
            kind: FaultKind::Unreadable,
            flag,
            instance_id: text.instance,
            request_id: text.request_id,
            created: text.created,
            revision: text.revision.unwrap_or_default(),
            what,
            logged: text.key,
            decided: String::new(),
        });
        Ok(())
    }
}

impl<'e> Entry<'e> {
    fn of(
        entry: &BatchEntry<'e>,
        template: &'e ExposureTemplate,
        instance: &'e InstanceId<'e>,
    ) -> Self {
        Self {
            served: LoggedDecision {
                instance,
                value: &template.value,
                group: &template.rollout_group,
                reason: template.reason,
                bucket: entry.bucket,
            },
            request_id: entry.request_id,
            created: entry.created,
        }
    }
}

impl<'o> TemplateCheck<'o> {
    async fn new(
        template: &'o ExposureTemplate,
        revisions: &mut Revisions<'_>,
    ) -> Result<Self, StoreError> {
        let own = match template.revision {
            Some(revision) => Some(revisions.get(revision).await?),
            None => None,
        };
        Ok(Self {
            own,
            value: fingerprints::of_text(&template.value.to_string()),
            template,
            counted: 0,
        })
    }
}

impl Current<'_> {
    /// Decides an exposure again, and counts it; returns its fault, if it has one.
    fn check_entry(
        &mut self,
        of: &mut TemplateCheck<'_>,
        entry: &Entry<'_>,
        (ids, fingerprints): (&KnownIds, &mut Fingerprints),
    ) -> Option<Fault> {
        let instance = entry.served.instance.as_str();
        let created = entry.created.unix_micros();
        self.report.exposures += 1;
        let key = fingerprints::of_key(self.hash, instance, entry.request_id, created);
        fingerprints.add_key(key);
        if let Some(revision) = of.template.revision {
            let key = fingerprints::of_instance(self.hash, revision.unix_micros(), instance);
            fingerprints.add_instance(key, of.value);
        }
        match self.compare(of, entry, ids) {
            Comparison::Agrees => self.report.agree += 1,
            Comparison::Hashed => self.report.hashed += 1,
            Comparison::WithoutRevision => self.report.without_revision += 1,
            Comparison::UnreadableRevision => self.report.unreadable_revision += 1,
            Comparison::UnknownRevision => {
                self.report.unknown_revision += 1;
                return Some(self.fault(FaultKind::UnknownRevision, of, entry));
            }
            Comparison::Differs(difference) => {
                self.report.decided_otherwise += 1;
                return Some(Fault {
                    what: difference.column.to_owned(),
                    logged: difference.logged,
                    decided: difference.decided,
                    ..self.fault(FaultKind::DecidedOtherwise, of, entry)
                });
            }
        }
        None
    }

    /// Counts an exposure of a batch whose instance id is invalid; returns its fault.
    #[cold]
    fn unreadable(
        &mut self,
        of: &TemplateCheck<'_>,
        entry: &BatchEntry<'_>,
        invalid: &Invalid,
    ) -> Fault {
        self.report.exposures += 1;
        self.report.unreadable += 1;
        let revision = of.template.revision.map(|revision| revision.to_string());
        Fault {
            kind: FaultKind::Unreadable,
            flag: self.name.clone(),
            instance_id: entry.instance.to_owned(),
            request_id: entry.request_id.to_owned(),
            created: entry.created.to_string(),
            revision: revision.unwrap_or_default(),
            what: invalid.to_string(),
            logged: of.template.value.to_string(),
            decided: String::new(),
        }
    }

    fn compare(
        &mut self,
        of: &mut TemplateCheck<'_>,
        entry: &Entry<'_>,
        ids: &KnownIds,
    ) -> Comparison {
        let (revision, revision_created) = match (&of.own, of.template.revision) {
            (Some(OwnRevision::Known(revision)), Some(created)) => (revision, created),
            (Some(OwnRevision::Unreadable), _) => return Comparison::UnreadableRevision,
            (Some(OwnRevision::Unknown), _) => return Comparison::UnknownRevision,
            _ => return Comparison::WithoutRevision,
        };
        if let Some(newer) = revision.replaced
            && newer <= entry.created
        {
            self.report
                .add_outdated(entry.created, revision_created, newer);
        }
        if entry.created < revision_created {
            self.report.before_revision += 1;
        }
        if !matches!(
            entry.served.reason,
            Some(Reason::Override | Reason::Delivered)
        ) {
            of.counted += 1;
        }
        check(revision, &entry.served, ids)
    }

    #[cold]
    fn fault(&self, kind: FaultKind, of: &TemplateCheck<'_>, entry: &Entry<'_>) -> Fault {
        let revision = of.template.revision.map(|revision| revision.to_string());
        Fault {
            kind,
            flag: self.name.clone(),
            instance_id: entry.served.instance.to_string(),
            request_id: entry.request_id.to_owned(),
            created: entry.created.to_string(),
            revision: revision.unwrap_or_default(),
            what: "Revision".to_owned(),
            logged: entry.served.value.to_string(),
            decided: String::new(),
        }
    }
}

impl FlagReport {
    /// Adds the exposures of a template to those of its revision and group.
    fn count(&mut self, of: &TemplateCheck<'_>) {
        if let Some(revision) = of.template.revision.filter(|_| of.counted > 0) {
            let groups = self.groups.entry(revision.unix_micros()).or_default();
            let group = of.template.rollout_group.clone();
            *groups.entry(group).or_default() += of.counted;
        }
    }
}

impl Logged {
    fn template(&self) -> ExposureTemplate {
        ExposureTemplate {
            flag: self.flag.clone(),
            revision: self.revision,
            value: self.value.clone(),
            rollout_group: self.group.clone(),
            reason: self.reason,
            from_cache: None,
        }
    }
}
