//! Text as a shell takes it, for commands that a person can copy.

use std::fmt::Write as _;

use flag_model::FlagKey;

use crate::escape::escaped;

/// One word. Where the text holds what cannot be seen, in the quotes of bash and zsh that spell it by its code.
pub fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    if escaped(text) == text {
        return format!("'{}'", text.replace('\'', "'\\''"));
    }
    let mut word = "$'".to_owned();
    for character in text.chars() {
        match character {
            '\'' | '\\' => word.extend(['\\', character]),
            _ if escaped(character.encode_utf8(&mut [0; 4])).starts_with('\\') => {
                let _ = write!(word, "\\U{:08x}", u32::from(character));
            }
            _ => word.push(character),
        }
    }
    word + "'"
}

/// The words that name a flag.
pub fn flag_words(flag: &FlagKey) -> String {
    let (project, name) = (word(flag.project.as_str()), word(flag.name.as_str()));
    let is_option = [&project, &name].iter().any(|word| word.starts_with('-'));
    let end_of_options = if is_option { "-- " } else { "" };
    format!("{end_of_options}{project} {} {name}", flag.flag_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_meant() {
        for text in [
            "A12345",
            "",
            "a b",
            "it's",
            "$x `y` \\",
            "a\u{202e}b\n'\\c",
            "é",
        ] {
            let command = format!("printf %s {}", word(text));
            let output = std::process::Command::new("bash")
                .args(["-c", &command])
                .env("LC_ALL", "C.UTF-8")
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), text, "{command}");
        }
        assert_eq!(word("A12345"), "A12345");
    }
}
