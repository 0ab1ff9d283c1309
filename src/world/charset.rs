//! From the bytes of an answer to text, by the charset it names. Pure.

const WINDOWS_1251: &str = "ЂЃ‚ѓ„…†‡€‰Љ‹ЊЌЋЏђ‘’“”•–—\u{98}™љ›њќћџ\u{a0}ЎўЈ¤Ґ¦§Ё©Є«¬\u{ad}®Ї°±Ііґµ¶·ё№є»јЅѕї\
    АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдежзийклмнопрстуфхцчшщъыьэюя";
const WINDOWS_1252: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ\
    \u{a0}¡¢£¤¥¦§¨©ª«¬\u{ad}®¯°±²³´µ¶·¸¹º»¼½¾¿\
    ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿ";

/// The text that `bytes` are. UTF-8 unless `content_type` names another; what cannot be read becomes U+FFFD.
pub fn decode(bytes: &[u8], content_type: &str) -> String {
    match charset(content_type).as_str() {
        "windows-1251" | "cp1251" => by_table(bytes, WINDOWS_1251),
        "iso-8859-1" | "latin1" | "windows-1252" | "cp1252" => by_table(bytes, WINDOWS_1252),
        "utf-16" | "utf-16le" if !bytes.starts_with(&[0xfe, 0xff]) => utf_16(bytes, u16::from_le_bytes),
        "utf-16" | "utf-16be" => utf_16(bytes, u16::from_be_bytes),
        _ => String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).into_owned(),
    }
}

fn charset(content_type: &str) -> String {
    let lower = content_type.to_ascii_lowercase();
    let named = lower.split(';').find_map(|it| it.trim().strip_prefix("charset="));
    named.unwrap_or_default().trim_matches(['"', '\'', ' ']).to_owned()
}

/// `table` has the upper half of the charset; the lower is ASCII.
fn by_table(bytes: &[u8], table: &str) -> String {
    let upper: Vec<char> = table.chars().collect();
    let read = |byte: &u8| match byte.checked_sub(0x80) {
        None => char::from(*byte),
        Some(n) => upper.get(usize::from(n)).copied().unwrap_or(char::REPLACEMENT_CHARACTER),
    };
    bytes.iter().map(read).collect()
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units: Vec<u16> = bytes.as_chunks().0.iter().map(|it| unit(*it)).collect();
    let text = String::from_utf16_lossy(&units);
    text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_by_its_charset() {
        assert_eq!(WINDOWS_1251.chars().count(), 128);
        assert_eq!(WINDOWS_1252.chars().count(), 128);
        assert_eq!(decode(b"\xcf\xf0\xe8\xe2\xe5\xf2", "text/html; charset=windows-1251"), "Привет");
        assert_eq!(decode(b"caf\xe9", "text/plain; charset=\"ISO-8859-1\""), "café");
        assert_eq!(decode(b"\xff\xfeA\0", "text/plain; charset=utf-16"), "A");
        assert_eq!(decode(b"\xfe\xff\0A", "text/plain; charset=utf-16"), "A");
        assert_eq!(decode(b"\xef\xbb\xbf{}", "application/json"), "{}");
        assert_eq!(decode(b"a\xff", ""), "a\u{fffd}");
    }
}
