//! The machine that is measured, in words.
use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

/// When and where something was measured.
pub(super) fn line(date: &str) -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor(&cpuinfo);
    let memory = memory_gib(&fs::read_to_string("/proc/meminfo").unwrap_or_default());
    let kernel = said(Command::new("uname").arg("-sr"))?;
    let rustc = said(Command::new("rustc").arg("--version"))?;
    Ok(format!(
        "Measured on {date}: {processor}, {cores} cores, {memory} GiB, {kernel}, {rustc}."
    ))
}

/// Today, in UTC.
pub(super) fn today() -> Result<String> {
    said(Command::new("date").args(["-u", "+%F"]))
}

fn said(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("cannot start {name}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn processor(cpuinfo: &str) -> &str {
    cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or(std::env::consts::ARCH, |(_, name)| name)
}

fn memory_gib(meminfo: &str) -> u64 {
    let total = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) >> 20
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_has_a_name_where_the_kernel_tells_it() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Fast(R) One\n";
        assert_eq!(processor(cpuinfo), "Fast(R) One");
        assert_eq!(processor("processor\t: 0\n"), std::env::consts::ARCH);
        assert_eq!(memory_gib("MemTotal:       24639232 kB\n"), 23);
    }
}
