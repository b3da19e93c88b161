//! Buckets of instances, remembered.
//!
//! Off unless it is asked for: with 100,000 instances and more, looking one up takes longer than hashing it anew, and
//! memory besides; `how_long_a_bucket_takes` below is the benchmark. What is remembered never changes, so its lifetime
//! bounds nothing but memory.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use flag_model::{Bucket, Format, HashAlgorithm, InstanceId, Salt};
use flag_rollout::bucket;
use quick_cache::Equivalent;
use quick_cache::sync::Cache;
use tokio::time::Instant;

/// What the position cache was told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PositionSettings {
    /// How long a bucket is remembered.
    pub(crate) lifetime: Duration,
    /// How many are remembered at most.
    pub(crate) entries: usize,
}

/// The buckets of instances.
#[derive(Debug)]
pub(crate) struct Positions(Option<Remembered>);

#[derive(Debug)]
struct Remembered {
    lifetime: Duration,
    buckets: Cache<Place, (Bucket, Instant)>,
}

/// What a bucket depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    algorithm: HashAlgorithm,
    salt: Option<Box<str>>,
    instance: Box<str>,
}

/// The same, borrowed.
#[derive(PartialEq, Eq, Hash)]
struct PlaceRef<'a> {
    algorithm: HashAlgorithm,
    salt: Option<&'a str>,
    instance: &'a str,
}

impl Positions {
    /// Remembers as many as it is told to; with none, or for no time, it hashes.
    pub(crate) fn new(settings: PositionSettings) -> Self {
        let is_on = settings.entries > 0 && !settings.lifetime.is_zero();
        Self(is_on.then(|| Remembered {
            lifetime: settings.lifetime,
            buckets: Cache::new(settings.entries),
        }))
    }

    /// The bucket of an instance.
    pub(crate) fn bucket(&self, format: &Format, instance: &InstanceId<'_>) -> Bucket {
        match &self.0 {
            None => bucket(format, instance),
            Some(remembered) => remembered.bucket(format, instance),
        }
    }
}

impl Remembered {
    fn bucket(&self, format: &Format, instance: &InstanceId<'_>) -> Bucket {
        let place = PlaceRef::new(format, instance);
        let now = Instant::now();
        if let Some((bucket, until)) = self.buckets.get(&place)
            && now < until
        {
            return bucket;
        }
        let bucket = bucket(format, instance);
        self.buckets
            .insert(place.to_owned(), (bucket, now + self.lifetime));
        bucket
    }
}

impl<'a> PlaceRef<'a> {
    fn new(format: &'a Format, instance: &'a InstanceId<'_>) -> Self {
        Self {
            algorithm: format.algorithm(),
            salt: format.salt().map(Salt::as_str),
            instance: instance.as_str(),
        }
    }

    fn to_owned(&self) -> Place {
        Place {
            algorithm: self.algorithm,
            salt: self.salt.map(Into::into),
            instance: self.instance.into(),
        }
    }
}

impl Place {
    fn as_ref(&self) -> PlaceRef<'_> {
        PlaceRef {
            algorithm: self.algorithm,
            salt: self.salt.as_deref(),
            instance: &self.instance,
        }
    }
}

/// As its reference, so that either finds the other.
impl Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_ref().hash(state);
    }
}

impl Equivalent<Place> for PlaceRef<'_> {
    fn equivalent(&self, place: &Place) -> bool {
        *self == place.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn formats() -> Vec<Format> {
        let salted = |algorithm, salt| Format::V2 {
            algorithm,
            salt: Salt::new(salt).unwrap(),
        };
        vec![
            Format::v1(HashAlgorithm::Md5),
            Format::v1(HashAlgorithm::Sha1),
            salted(HashAlgorithm::Md5, "one"),
            salted(HashAlgorithm::Sha256, "one"),
            salted(HashAlgorithm::Md5, "other"),
        ]
    }

    #[track_caller]
    fn check(positions: &Positions) {
        for format in formats() {
            for n in 0..100 {
                let instance = InstanceId::new(format!("A{n}")).unwrap();
                assert_eq!(
                    positions.bucket(&format, &instance),
                    bucket(&format, &instance)
                );
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_what_would_be_hashed() {
        for entries in [0, 10, 1_000] {
            let lifetime = Duration::from_hours(48);
            let positions = Positions::new(PositionSettings { lifetime, entries });
            check(&positions);
            check(&positions);
            let remembered = positions.0.as_ref().map_or(0, |all| all.buckets.len());
            assert!(remembered <= entries.max(10) + 10, "{remembered}");
            assert!(remembered >= entries.min(400) / 2, "{remembered}");
            advance(lifetime).await;
            check(&positions);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_lifetime_remembers_nothing() {
        let settings = PositionSettings {
            lifetime: Duration::ZERO,
            entries: 10,
        };
        assert!(Positions::new(settings).0.is_none());
    }

    /// `cargo test --release -p flag-service -- --ignored --nocapture how_long_a_bucket_takes`
    #[test]
    #[ignore = "a benchmark"]
    fn how_long_a_bucket_takes() {
        let [md5, _, sha256, _] = formats().try_into().unwrap();
        for (name, format) in [("md5", md5), ("sha256", sha256)] {
            for instances in [1_000, 10_000, 100_000, 1_000_000] {
                for threads in [1, 2] {
                    let hashed = time(&format, instances, 0, threads);
                    let remembered = time(&format, instances, 2 * instances, threads);
                    println!(
                        "{name}, {instances:>7} instances, {threads} threads: hashed {hashed:?}, remembered {remembered:?}"
                    );
                }
            }
        }
    }

    /// How long a bucket takes when all are remembered that fit, with as many threads asking at random.
    fn time(format: &Format, instances: usize, entries: usize, threads: u64) -> Duration {
        const ROUNDS: u32 = 1_000_000;
        let names: Vec<String> = (0..instances).map(|n| format!("instance-{n}")).collect();
        let lifetime = Duration::from_hours(48);
        let positions = Positions::new(PositionSettings { lifetime, entries });
        let ask = |name: &String| {
            let instance = InstanceId::new(name.as_str()).unwrap();
            u64::from(positions.bucket(format, &instance).get())
        };
        names.iter().map(ask).for_each(drop);
        std::thread::scope(|scope| {
            let askers: Vec<_> = (0..threads)
                .map(|seed| {
                    let (names, ask) = (&names, &ask);
                    scope.spawn(move || {
                        let mut random = fastrand::Rng::with_seed(seed);
                        let began = std::time::Instant::now();
                        let sum: u64 = (0..ROUNDS)
                            .map(|_| ask(&names[random.usize(..instances)]))
                            .sum();
                        std::hint::black_box(sum);
                        began.elapsed() / ROUNDS
                    })
                })
                .collect();
            askers.into_iter().map(|asker| asker.join().unwrap()).max()
        })
        .unwrap()
    }
}
