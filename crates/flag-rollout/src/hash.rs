//! From an instance id to a bucket.

use digest::typenum::Unsigned;
use digest::{Digest, FixedOutputReset, OutputSizeUser};
use flag_model::{Bucket, BucketScheme, HashAlgorithm, InstanceId, Salt};

/// The bucket of an instance: a digest of the bare id in version 1, of `{salt}#{id}` in version 2.
pub fn bucket(scheme: &BucketScheme, instance: &InstanceId<'_>) -> Bucket {
    let hash_point = hash_point_by(scheme.algorithm());
    Bucket::of_hash_point(hash_point(scheme.salt(), instance))
}

/// The table of digests.
fn hash_point_by(algorithm: HashAlgorithm) -> fn(Option<&Salt>, &InstanceId<'_>) -> u64 {
    match algorithm {
        HashAlgorithm::Md5 => hash_point::<md5::Md5>,
        HashAlgorithm::Sha1 => hash_point::<sha1::Sha1>,
        HashAlgorithm::Sha224 => hash_point::<sha2::Sha224>,
        HashAlgorithm::Sha256 => hash_point::<sha2::Sha256>,
        HashAlgorithm::Sha384 => hash_point::<sha2::Sha384>,
        HashAlgorithm::Sha512 => hash_point::<sha2::Sha512>,
        HashAlgorithm::Sha3_224 => hash_point::<sha3::Sha3_224>,
        HashAlgorithm::Sha3_256 => hash_point::<sha3::Sha3_256>,
        HashAlgorithm::Sha3_384 => hash_point::<sha3::Sha3_384>,
        HashAlgorithm::Sha3_512 => hash_point::<sha3::Sha3_512>,
        HashAlgorithm::Blake2b => hash_point::<blake2::Blake2b512>,
        HashAlgorithm::Blake2s => hash_point::<blake2::Blake2s256>,
    }
}

/// The hash point of an instance in `0..2^64`: the first eight bytes of the digest, big-endian.
///
/// Takes any digest of at least eight bytes, also one that [`HashAlgorithm`] does not name; a shorter one does not compile.
pub fn hash_point<D: Digest + FixedOutputReset>(
    salt: Option<&Salt>,
    instance: &InstanceId<'_>,
) -> u64 {
    const {
        assert!(
            <D as OutputSizeUser>::OutputSize::USIZE >= 8,
            "a digest of at least eight bytes"
        );
    }
    let mut digest = D::new();
    if let Some(salt) = salt {
        Digest::update(&mut digest, salt.as_str());
        Digest::update(&mut digest, b"#");
    }
    Digest::update(&mut digest, instance.as_str());
    // Not `finalize`, which would first move the digest and the block in it: `benches/decide.rs` measures the
    // difference. The assertion above makes the default unreachable.
    Digest::finalize_reset(&mut digest)
        .first_chunk()
        .map_or(0, |first| u64::from_be_bytes(*first))
}
