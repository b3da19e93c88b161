//! What is said of a replica of the service.

/// Of one that has stopped to report.
pub const SILENT_REPLICA: &str = "silent for 3 minutes: killed, or cut off from the log";

/// By how many seconds the clock of a replica is ahead of that of the store, negative if behind, in words.
pub fn clock_error(seconds: i64) -> String {
    let direction = if seconds < 0 { "behind" } else { "ahead of" };
    let seconds = seconds.unsigned_abs();
    format!("its clock is {seconds} s {direction} the store's")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_behind_or_ahead() {
        assert_eq!(clock_error(-90), "its clock is 90 s behind the store's");
        assert_eq!(clock_error(30), "its clock is 30 s ahead of the store's");
    }
}
