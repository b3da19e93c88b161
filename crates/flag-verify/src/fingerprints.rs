//! Finds what occurs twice among any number of exposures, in bounded memory: by sorted runs of fingerprints.
//!
//! Two fingerprints of 16 bytes each are kept per exposure: one of its key, one of flag, revision and instance with its value.
//! Up to [`RUN`] are in memory; more of them are sorted and appended to a file, and all runs are merged at the end. Equal keys
//! have equal fingerprints, so nothing is missed; different ones may collide, which a second look at the log tells
//! ([`suspects`](crate::suspects)).

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, BufReader, BufWriter, Read, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;

/// How many fingerprints are in memory: 64 MiB.
const RUN: usize = 4 << 20;

/// The bytes of a fingerprint in the file.
const BYTES: u64 = 16;

/// The most suspects of a kind.
pub(crate) const MAX_SUSPECTS: usize = 1_000;

/// The fingerprints of exposures.
#[derive(Debug)]
pub(crate) struct Fingerprints {
    run: Vec<u128>,
    limit: usize,
    file: File,
    /// The length of each run in the file.
    runs: Vec<u64>,
}

/// Fingerprints that occur twice, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Repeated {
    /// Of keys, at most [`MAX_SUSPECTS`].
    pub(crate) keys: Vec<u64>,
    /// Further exposures with a key that another one has.
    pub(crate) further_keys: u64,
    /// Of instances with two values, at most [`MAX_SUSPECTS`].
    pub(crate) instances: Vec<u64>,
    /// How many those are.
    pub(crate) all_instances: u64,
}

/// The fingerprint of the key of an exposure, without its flag; even numbers.
pub(crate) fn of_key(flag: u64, instance: &str, request_id: &str, created: i64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (flag, created, instance, request_id).hash(&mut hasher);
    hasher.finish() & !1
}

/// The fingerprint of flag, revision and instance; odd numbers.
pub(crate) fn of_instance(flag: u64, revision: i64, instance: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (flag, revision, instance).hash(&mut hasher);
    hasher.finish() | 1
}

/// The fingerprint of a text, such as a value.
pub(crate) fn of_text(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// The bytes that runs of these lengths take in the file.
pub(crate) fn length_of(runs: &[u64]) -> u64 {
    runs.iter().sum::<u64>().saturating_mul(BYTES)
}

impl Fingerprints {
    /// Those in a file, of which these runs are valid; what is after them is overwritten.
    pub(crate) fn open(file: File, runs: Vec<u64>) -> Self {
        Self {
            run: Vec::new(),
            limit: RUN,
            file,
            runs,
        }
    }

    /// Adds the fingerprint of a key.
    pub(crate) fn add_key(&mut self, key: u64) {
        self.run.push(u128::from(key) << 64);
    }

    /// Adds the fingerprint of an instance, with that of its value.
    pub(crate) fn add_instance(&mut self, instance: u64, value: u64) {
        self.run
            .push(u128::from(instance) << 64 | u128::from(value));
    }

    /// Whether enough are in memory to be written.
    pub(crate) fn is_full(&self) -> bool {
        self.run.len() >= self.limit
    }

    /// The runs that are in the file.
    pub(crate) fn runs(&self) -> &[u64] {
        &self.runs
    }

    /// Sorts those in memory, and appends them to the file.
    pub(crate) fn write(&mut self) -> io::Result<()> {
        if self.run.is_empty() {
            return Ok(());
        }
        self.sort();
        self.file.seek(SeekFrom::Start(length_of(&self.runs)))?;
        let mut writer = BufWriter::with_capacity(1 << 20, &self.file);
        for fingerprint in &self.run {
            writer.write_all(&fingerprint.to_be_bytes())?;
        }
        writer.flush()?;
        drop(writer);
        self.runs.push(self.run.len() as u64);
        self.run.clear();
        Ok(())
    }

    /// Waits until the disk has the file.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn sort(&mut self) {
        self.run.sort_unstable();
        let mut last = None;
        // Of an instance with one value, one is enough.
        self.run.retain(|&fingerprint| {
            let is_instance = (fingerprint >> 64) & 1 == 1;
            !is_instance || last.replace(fingerprint) != Some(fingerprint)
        });
    }

    /// What occurs twice.
    pub(crate) fn repeated(mut self) -> io::Result<Repeated> {
        self.sort();
        let mut found = Repeated::default();
        let mut last = Last::default();
        if self.runs.is_empty() {
            for fingerprint in self.run {
                last.check_entry(fingerprint, &mut found);
            }
            return Ok(found);
        }
        self.write()?;
        let mut merged = Merged::open(&self.file, &self.runs)?;
        while let Some(fingerprint) = merged.next()? {
            last.check_entry(fingerprint, &mut found);
        }
        Ok(found)
    }
}

/// The fingerprint before, in their order.
#[derive(Default)]
struct Last {
    fingerprint: Option<u128>,
    /// Whether it has been found already.
    is_found: bool,
}

impl Last {
    fn check_entry(&mut self, fingerprint: u128, found: &mut Repeated) {
        let last = self.fingerprint.replace(fingerprint);
        let high = u64::try_from(fingerprint >> 64).unwrap_or_default();
        let Some(last) = last.filter(|last| last >> 64 == fingerprint >> 64) else {
            self.is_found = false;
            return;
        };
        let is_key = high & 1 == 0;
        if is_key {
            found.further_keys += 1;
        } else if last == fingerprint || self.is_found {
            return;
        } else {
            found.all_instances += 1;
        }
        let suspects = if is_key {
            &mut found.keys
        } else {
            &mut found.instances
        };
        if !self.is_found && suspects.len() < MAX_SUSPECTS {
            suspects.push(high);
        }
        self.is_found = true;
    }
}

/// The fingerprints of all runs, in their order.
struct Merged<'f> {
    runs: Vec<io::Take<BufReader<At<'f>>>>,
    next: BinaryHeap<Reverse<(u128, usize)>>,
}

/// A file that is read from a place of its own.
struct At<'f> {
    file: &'f File,
    offset: u64,
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

impl<'f> Merged<'f> {
    fn open(file: &'f File, lengths: &[u64]) -> io::Result<Self> {
        let mut merged = Self {
            runs: Vec::with_capacity(lengths.len()),
            next: BinaryHeap::with_capacity(lengths.len()),
        };
        let mut offset = 0;
        for length in lengths {
            let reader = BufReader::with_capacity(1 << 16, At { file, offset });
            merged.runs.push(reader.take(length * BYTES));
            offset += length * BYTES;
            merged.advance(merged.runs.len() - 1)?;
        }
        Ok(merged)
    }

    /// Reads the next one of a run.
    fn advance(&mut self, run: usize) -> io::Result<()> {
        let Some(reader) = self.runs.get_mut(run).filter(|reader| reader.limit() > 0) else {
            return Ok(());
        };
        let mut bytes = [0; 16];
        reader.read_exact(&mut bytes)?;
        self.next.push(Reverse((u128::from_be_bytes(bytes), run)));
        Ok(())
    }

    fn next(&mut self) -> io::Result<Option<u128>> {
        let Some(Reverse((fingerprint, run))) = self.next.pop() else {
            return Ok(None);
        };
        self.advance(run)?;
        Ok(Some(fingerprint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What occurs twice of these, with at most `limit` of them in memory.
    fn repeated(limit: usize, keys: &[u64], instances: &[(u64, u64)]) -> Repeated {
        let mut all = Fingerprints::open(tempfile::tempfile().unwrap(), Vec::new());
        all.limit = limit;
        for key in keys {
            all.add_key(key * 2);
            if all.is_full() {
                all.write().unwrap();
            }
        }
        for (instance, value) in instances {
            all.add_instance(instance * 2 + 1, *value);
            if all.is_full() {
                all.write().unwrap();
            }
        }
        all.repeated().unwrap()
    }

    #[test]
    fn what_occurs_twice_is_found_in_memory_and_over_runs() {
        for limit in [1, 2, 3, 1_000] {
            let found = repeated(
                limit,
                &[5, 1, 2, 5, 3, 5],
                &[(7, 1), (8, 1), (7, 1), (9, 2), (8, 2), (8, 3), (8, 1)],
            );
            let expected = Repeated {
                keys: vec![10],
                further_keys: 2,
                instances: vec![17],
                all_instances: 1,
            };
            assert_eq!(found, expected, "{limit}");
        }
    }

    #[test]
    fn what_occurs_once_is_not_found() {
        let keys: Vec<u64> = (0..1_000).collect();
        let instances: Vec<_> = keys.iter().map(|key| (*key % 100, *key % 100)).collect();
        assert_eq!(repeated(64, &keys, &instances), Repeated::default());
    }
}
