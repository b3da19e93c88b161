//! Times for people.

use flag_model::Timestamp;

/// A time in UTC without its fraction, for tables.
pub(super) fn to_the_second(time: Timestamp) -> String {
    let text = time.text();
    let seconds = text.split_once('.').map_or(&*text, |(seconds, _)| seconds);
    seconds.to_owned()
}
