//! From an instance id to a bucket.

use digest::typenum::Unsigned;
use digest::{Digest, FixedOutputReset, OutputSizeUser};
use flag_model::{Bucket, Format, HashAlgorithm, InstanceId, Salt};

/// The bucket of an instance: MD5 of the bare id in version 1, any digest of `{salt}#{id}` in version 2.
pub fn bucket(format: &Format, instance: &InstanceId<'_>) -> Bucket {
    let position = match format {
        Format::V1 => position::<md5::Md5>(None, instance),
        Format::V2 { algorithm, salt } => position_by(*algorithm)(Some(salt), instance),
    };
    Bucket::of_position(position)
}

/// The table of digests.
fn position_by(algorithm: HashAlgorithm) -> fn(Option<&Salt>, &InstanceId<'_>) -> u64 {
    match algorithm {
        HashAlgorithm::Md5 => position::<md5::Md5>,
        HashAlgorithm::Sha1 => position::<sha1::Sha1>,
        HashAlgorithm::Sha256 => position::<sha2::Sha256>,
    }
}

/// The place of an instance on a line of 2^64: the first eight bytes of the digest, big-endian.
///
/// Any digest of at least eight bytes will do, also one that [`HashAlgorithm`] doesn't name yet; a shorter one doesn't
/// compile.
pub fn position<D: Digest + FixedOutputReset>(
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
    // Finished where it stands: `finalize` would first move it, and the block that was just written into it, which
    // `benches/decide.rs` feels. The assertion above makes the other arm unreachable.
    Digest::finalize_reset(&mut digest)
        .first_chunk()
        .map_or(0, |first| u64::from_be_bytes(*first))
}
