//! SQLite's variable-length integers: big-endian, seven bits a byte, eight in the ninth
//! (<https://sqlite.org/fileformat2.html#varint>).

/// Longest varint in bytes.
pub const BYTES_MAX: usize = 9;

/// Reads a varint at the start of `bytes`: value and length. `None` if the bytes end inside it.
pub fn read(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0;
    for (i, &byte) in bytes.iter().take(BYTES_MAX).enumerate() {
        if i == BYTES_MAX - 1 {
            return Some((value << 8 | u64::from(byte), BYTES_MAX));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, i + 1));
        }
    }
    None
}

/// Appends the shortest form of `value`.
pub fn write(value: u64, out: &mut Vec<u8>) {
    write_padded(value, 1, out);
}

/// Appends `value` in at least `length` bytes, 1 to 9. SQLite's reader accepts forms that are longer than necessary,
/// though its writer never produces them.
pub fn write_padded(value: u64, length: usize, out: &mut Vec<u8>) {
    let length = length.clamp(len(value), BYTES_MAX);
    let mut rest = value;
    let start = out.len();
    if length == BYTES_MAX {
        out.push(rest as u8);
        rest >>= 8;
    }
    while out.len() - start < length {
        let more = if out.len() == start { 0 } else { 0x80 };
        out.push(rest as u8 & 0x7f | more);
        rest >>= 7;
    }
    out[start..].reverse();
}

/// Length of the shortest form of `value` in bytes.
pub fn len(value: u64) -> usize {
    (1..BYTES_MAX).find(|&n| value >> (7 * n) == 0).unwrap_or(BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_round_trip_in_every_length() {
        let edges = (0..64).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit]).chain([u64::MAX]);
        for value in edges {
            for length in 1..=BYTES_MAX {
                let mut bytes = Vec::new();
                write_padded(value, length, &mut bytes);
                assert_eq!(bytes.len(), length.max(len(value)));
                assert_eq!(read(&bytes), Some((value, bytes.len())), "{value:#x} in {length}");
                assert_eq!(read(&bytes[..bytes.len() - 1]), None);
            }
        }
    }
}
