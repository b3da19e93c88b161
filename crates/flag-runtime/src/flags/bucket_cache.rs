//! A cache of the buckets of instances.
//!
//! Off by default: with 100,000 instances and more, a look-up takes longer than a new hash, and needs memory; see the
//! benchmark `bucket` in `benches/flags.rs`. A bucket never changes, so the lifetime only limits memory.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use flag_model::{Bucket, BucketScheme, HashAlgorithm, InstanceId, Salt};
use flag_rollout::bucket;
use quick_cache::Equivalent;
use quick_cache::sync::Cache;
use tokio::time::Instant;

/// Settings of the bucket cache.
#[derive(Clone, Copy, Debug)]
pub struct BucketCacheSettings {
    /// How long a bucket is remembered.
    pub lifetime: Duration,
    /// The most buckets in memory.
    pub entries: usize,
}

/// Remembers the buckets of instances, if it is on.
#[derive(Debug)]
pub struct BucketCache(Option<Enabled>);

#[derive(Debug)]
struct Enabled {
    lifetime: Duration,
    buckets: Cache<BucketKey, (Bucket, Instant)>,
}

/// The key of a bucket: everything that it depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct BucketKey {
    algorithm: HashAlgorithm,
    salt: Option<Box<str>>,
    instance: Box<str>,
}

/// A borrowed key of a bucket.
#[derive(PartialEq, Eq, Hash)]
struct BucketKeyRef<'a> {
    algorithm: HashAlgorithm,
    salt: Option<&'a str>,
    instance: &'a str,
}

impl BucketCache {
    /// Creates an empty cache; one that always hashes if the settings allow no entries or no lifetime.
    pub fn new(settings: BucketCacheSettings) -> Self {
        let is_on = settings.entries > 0 && !settings.lifetime.is_zero();
        Self(is_on.then(|| Enabled {
            lifetime: settings.lifetime,
            buckets: Cache::new(settings.entries),
        }))
    }

    /// Returns the bucket of an instance.
    pub fn bucket(&self, scheme: &BucketScheme, instance: &InstanceId<'_>) -> Bucket {
        match &self.0 {
            None => bucket(scheme, instance),
            Some(enabled) => enabled.bucket(scheme, instance),
        }
    }
}

impl Enabled {
    fn bucket(&self, scheme: &BucketScheme, instance: &InstanceId<'_>) -> Bucket {
        let key = BucketKeyRef::new(scheme, instance);
        let now = Instant::now();
        if let Some((bucket, until)) = self.buckets.get(&key)
            && now < until
        {
            return bucket;
        }
        let bucket = bucket(scheme, instance);
        self.buckets
            .insert(key.to_owned(), (bucket, now + self.lifetime));
        bucket
    }
}

impl<'a> BucketKeyRef<'a> {
    fn new(scheme: &'a BucketScheme, instance: &'a InstanceId<'_>) -> Self {
        Self {
            algorithm: scheme.algorithm(),
            salt: scheme.salt().map(Salt::as_str),
            instance: instance.as_str(),
        }
    }

    fn to_owned(&self) -> BucketKey {
        BucketKey {
            algorithm: self.algorithm,
            salt: self.salt.map(Into::into),
            instance: self.instance.into(),
        }
    }
}

impl BucketKey {
    fn as_ref(&self) -> BucketKeyRef<'_> {
        BucketKeyRef {
            algorithm: self.algorithm,
            salt: self.salt.as_deref(),
            instance: &self.instance,
        }
    }
}

/// Has the hash of its borrowed form, so that either finds the other.
impl Hash for BucketKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_ref().hash(state);
    }
}

impl Equivalent<BucketKey> for BucketKeyRef<'_> {
    fn equivalent(&self, key: &BucketKey) -> bool {
        *self == key.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn schemes() -> Vec<BucketScheme> {
        let salted = |algorithm, salt| BucketScheme::V2 {
            algorithm,
            salt: Salt::new(salt).unwrap(),
        };
        vec![
            BucketScheme::v1(HashAlgorithm::Md5),
            BucketScheme::v1(HashAlgorithm::Sha1),
            salted(HashAlgorithm::Md5, "one"),
            salted(HashAlgorithm::Sha256, "one"),
            salted(HashAlgorithm::Md5, "other"),
        ]
    }

    #[track_caller]
    fn check(cache: &BucketCache) {
        for scheme in schemes() {
            for n in 0..100 {
                let instance = InstanceId::new(format!("A{n}")).unwrap();
                assert_eq!(cache.bucket(&scheme, &instance), bucket(&scheme, &instance));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_what_would_be_hashed() {
        for entries in [0, 10, 1_000] {
            let lifetime = Duration::from_hours(48);
            let cache = BucketCache::new(BucketCacheSettings { lifetime, entries });
            check(&cache);
            check(&cache);
            let remembered = cache.0.as_ref().map_or(0, |all| all.buckets.len());
            assert!(remembered <= entries.max(10) + 10, "{remembered}");
            assert!(remembered >= entries.min(400) / 2, "{remembered}");
            advance(lifetime).await;
            check(&cache);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_lifetime_remembers_nothing() {
        let settings = BucketCacheSettings {
            lifetime: Duration::ZERO,
            entries: 10,
        };
        assert!(BucketCache::new(settings).0.is_none());
    }

    /// A wrong bucket shows where a bucket came from.
    #[tokio::test(start_paused = true)]
    async fn a_bucket_is_remembered_for_its_lifetime() {
        let (lifetime, entries) = (Duration::from_hours(48), 10);
        let cache = BucketCache::new(BucketCacheSettings { lifetime, entries });
        let scheme = BucketScheme::v1(HashAlgorithm::Md5);
        let [one, other] = ["A", "B"].map(|id| InstanceId::new(id).unwrap());
        let (right, wrong) = (bucket(&scheme, &one), bucket(&scheme, &other));
        assert_ne!(right, wrong);
        cache.bucket(&scheme, &one);
        let remembered = &cache.0.as_ref().unwrap().buckets;
        let key = BucketKeyRef::new(&scheme, &one);
        let (_, until) = remembered.get(&key).unwrap();
        assert_eq!(until, Instant::now() + lifetime);
        remembered.insert(key.to_owned(), (wrong, until));
        advance(lifetime.saturating_sub(Duration::from_micros(1))).await;
        assert_eq!(cache.bucket(&scheme, &one), wrong);
        advance(Duration::from_micros(1)).await;
        assert_eq!(cache.bucket(&scheme, &one), right);
    }
}
