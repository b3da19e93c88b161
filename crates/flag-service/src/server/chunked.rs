//! Finds the end of a chunked body.
//!
//! Accepts exactly what actix-http accepts; the rest is [`Chunks::Malformed`]. actix-http queues each chunk separately, so a
//! chunk of one byte costs much more memory than a byte.

/// The cost of queueing a chunk, besides its bytes.
pub(super) const CHUNK_COST: usize = 64;

/// The progress of a chunked body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunked {
    step: Step,
    /// Bytes of the chunk that are to come; its size while that is being read.
    left: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    SizeFirst,
    Size,
    SizeSpace,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    EndCr,
    Trailer,
    TrailerLf,
    EndLf,
    End,
}

/// The meaning of bytes for a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunks {
    /// This many of them belong to it, as far as the budget goes, and more will come.
    More(usize),
    /// It ends after this many of them.
    End(usize),
    /// They are not chunked encoding.
    Malformed,
}

impl Chunked {
    /// Returns the start of a body.
    pub(super) fn new() -> Self {
        Self {
            step: Step::SizeFirst,
            left: 0,
        }
    }

    /// Continues with the next bytes. Each chunk that begins takes its cost from the budget; none begins without.
    pub(super) fn scan(&mut self, bytes: &[u8], budget: &mut usize) -> Chunks {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if self.step == Step::Data {
                at += self.skip_data(bytes.len() - at);
                continue;
            }
            if self.step == Step::SizeFirst {
                let Some(left) = budget.checked_sub(CHUNK_COST) else {
                    break;
                };
                *budget = left;
            }
            at += 1;
            match self.next(byte) {
                Some(Step::End) => return Chunks::End(at),
                Some(step) => self.step = step,
                None => return Chunks::Malformed,
            }
        }
        Chunks::More(at)
    }

    fn skip_data(&mut self, available: usize) -> usize {
        let skipped = usize::try_from(self.left).map_or(available, |left| left.min(available));
        self.left = self
            .left
            .saturating_sub(u64::try_from(skipped).unwrap_or(u64::MAX));
        if self.left == 0 {
            self.step = Step::DataCr;
        }
        skipped
    }

    fn next(&mut self, byte: u8) -> Option<Step> {
        Some(match (self.step, byte) {
            (Step::SizeFirst, _) => {
                self.left = digit(byte)?;
                Step::Size
            }
            (Step::Size | Step::SizeSpace, b'\t' | b' ') => Step::SizeSpace,
            (Step::Size | Step::SizeSpace, b';') => Step::Extension,
            (Step::Size | Step::SizeSpace | Step::Extension, b'\r') => Step::SizeLf,
            (Step::Size, _) => {
                self.left = self.left.checked_mul(16)? + digit(byte)?;
                Step::Size
            }
            (Step::Extension, 0..=0x08 | 0x0a..=0x1f | 0x7f) => return None,
            (Step::Extension, _) => Step::Extension,
            (Step::SizeLf, b'\n') if self.left == 0 => Step::EndCr,
            (Step::SizeLf, b'\n') => Step::Data,
            (Step::DataCr, b'\r') => Step::DataLf,
            (Step::DataLf, b'\n') => Step::SizeFirst,
            (Step::EndCr, b'\r') => Step::EndLf,
            (Step::Trailer, b'\r') => Step::TrailerLf,
            (Step::EndCr | Step::Trailer, _) => Step::Trailer,
            (Step::TrailerLf, b'\n') => Step::EndCr,
            (Step::EndLf, b'\n') => Step::End,
            _ => return None,
        })
    }
}

fn digit(byte: u8) -> Option<u64> {
    char::from(byte).to_digit(16).map(u64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scans a text in pieces of every size.
    #[track_caller]
    fn check(text: &str, expected: Chunks) {
        for size in 1..=text.len() {
            let (mut chunked, mut before) = (Chunked::new(), 0);
            let mut found = Chunks::More(0);
            for piece in text.as_bytes().chunks(size) {
                found = chunked.scan(piece, &mut usize::MAX.clone());
                match found {
                    Chunks::More(at) => {
                        before += at;
                        found = Chunks::More(before);
                    }
                    Chunks::End(at) => {
                        found = Chunks::End(before + at);
                        break;
                    }
                    Chunks::Malformed => break,
                }
            }
            assert_eq!(found, expected, "{text:?} in pieces of {size}");
        }
    }

    #[test]
    fn a_body_ends_after_its_trailers_and_what_follows_is_another_request() {
        let bodies = [
            "0\r\n\r\n",
            "3\r\nabc\r\n0\r\n\r\n",
            "0a;x=y\r\n0123456789\r\n000\r\n\r\n",
            "1 \t\r\n\n\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n",
        ];
        for body in bodies {
            check(body, Chunks::End(body.len()));
            check(&format!("{body}GET /"), Chunks::End(body.len()));
            check(&body[..body.len() - 1], Chunks::More(body.len() - 1));
        }
    }

    #[test]
    fn what_is_not_chunked_is_malformed() {
        for body in [
            "x\r\n",
            "1\nx",
            "1\r\nxy",
            "1\r\nx\n",
            "1;\u{1}",
            "fffffffffffffffff\r\n",
        ] {
            check(body, Chunks::Malformed);
        }
    }
}
