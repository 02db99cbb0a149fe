// SPDX-License-Identifier: GPL-2.0

//! Lists of names that C has as well, compared while the module is compiled.

use kernel::prelude::*;

/// Returns whether a C header defines `name` as this list: `{ NUMBER, "NAME" }` for each pair, in
/// the same order, and nothing else.
pub(crate) const fn defines(header: &str, name: &str, list: &[(u64, &str)]) -> bool {
    let text = header.as_bytes();
    let mut at = match definition(text, name.as_bytes()) {
        Some(at) => at,
        None => return false,
    };
    let mut next = 0;
    while next < list.len() {
        let (number, name) = list[next];
        at = match pair(text, at, number, name.as_bytes()) {
            Some(at) => at,
            None => return false,
        };
        next += 1;
        if next < list.len() {
            at = match text_at(text, at, b", \\\n\t") {
                Some(at) => at,
                None => return false,
            };
        }
    }
    // Else the definition goes on.
    at < text.len() && text[at] == b'\n'
}

/// Returns where the first pair of a definition begins.
const fn definition(text: &[u8], name: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < text.len() {
        if let Some(after) = text_at(text, at, b"#define ") {
            if let Some(after) = text_at(text, after, name) {
                if let Some(first) = text_at(text, after, b" \\\n\t") {
                    return Some(first);
                }
            }
        }
        at += 1;
    }
    None
}

/// Returns where a pair that begins here ends, if it is this one.
const fn pair(text: &[u8], at: usize, number: u64, name: &[u8]) -> Option<usize> {
    let Some(at) = text_at(text, at, b"{ ") else {
        return None;
    };
    let (has, at) = digits(text, at);
    if has != number {
        return None;
    }
    let Some(at) = text_at(text, at, b", \"") else {
        return None;
    };
    let Some(at) = text_at(text, at, name) else {
        return None;
    };
    text_at(text, at, b"\" }")
}

/// Returns the number that begins here, decimal or after `0x`, and where it ends.
const fn digits(text: &[u8], at: usize) -> (u64, usize) {
    let (base, mut at) = match text_at(text, at, b"0x") {
        Some(at) => (16, at),
        None => (10, at),
    };
    let mut number: u64 = 0;
    while at < text.len() {
        let Some(digit) = (text[at] as char).to_digit(base) else {
            break;
        };
        number = number * base as u64 + digit as u64;
        at += 1;
    }
    (number, at)
}

/// Returns where the wanted text ends, if it is what begins here.
const fn text_at(text: &[u8], at: usize, wanted: &[u8]) -> Option<usize> {
    let mut i = 0;
    while i < wanted.len() {
        if at + i >= text.len() || text[at + i] != wanted[i] {
            return None;
        }
        i += 1;
    }
    Some(at + wanted.len())
}

#[kunit_tests(trapscope_c_list)]
mod tests {
    use super::*;

    const HEADER: &str = "#define NO\n#define LIST \\\n\t{ 0, \"a\" }, \\\n\t{ 0x10, \"b-c\" }\n";

    #[test]
    fn the_same_list() {
        assert!(defines(HEADER, "LIST", &[(0, "a"), (16, "b-c")]));
    }

    #[test]
    fn any_difference_is_one() {
        assert!(!defines(HEADER, "LIST", &[(0, "a")]));
        assert!(!defines(
            HEADER,
            "LIST",
            &[(0, "a"), (16, "b-c"), (17, "d")]
        ));
        assert!(!defines(HEADER, "LIST", &[(0, "a"), (15, "b-c")]));
        assert!(!defines(HEADER, "LIST", &[(0, "a"), (16, "b")]));
        assert!(!defines(HEADER, "LIST", &[(0, "a"), (16, "b-cd")]));
        assert!(!defines(HEADER, "LIST", &[(16, "b-c"), (0, "a")]));
        assert!(!defines(HEADER, "LIS", &[(0, "a"), (16, "b-c")]));
        assert!(!defines(HEADER, "OTHER", &[(0, "a"), (16, "b-c")]));
    }
}
