//! Records: what tables and indexes store (<https://sqlite.org/fileformat2.html#record_format>).

use std::ops::Range;

use super::varint;

/// How many columns are parsed at most; SQLite's own limit is 32767.
const COLUMNS_MAX: usize = 2000;

/// A value with its storage class in the file.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// INTEGER.
    Integer(i64),
    /// REAL.
    Real(f64),
    /// TEXT in the encoding of the database.
    Text(Vec<u8>),
    /// BLOB.
    Blob(Vec<u8>),
}

/// The position of a column in a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Offset of the serial type in the record.
    pub type_at: Range<usize>,
    /// The serial type.
    pub serial_type: u64,
    /// Range of the content in the record, cut at its end.
    pub content: Range<usize>,
}

/// Length of the content of a serial type in bytes; the reserved types 10 and 11 have none.
pub fn content_bytes(serial_type: u64) -> u64 {
    match serial_type {
        0 | 8..=11 => 0,
        1..=4 => serial_type,
        5 => 6,
        6 | 7 => 8,
        n => (n - 12) / 2,
    }
}

/// The columns of `record` in order, as far as its header can be read. Contents that run past the
/// end of `record` (it may be the local part of a longer one) are cut.
pub fn columns(record: &[u8]) -> Vec<Column> {
    leading_columns(record, COLUMNS_MAX)
}

/// The first columns of `record`, at most `most`; as [`columns`].
pub fn leading_columns(record: &[u8], most: usize) -> Vec<Column> {
    let Some((header_bytes, mut at)) = varint::read(record) else {
        return Vec::new();
    };
    let header_end = usize::try_from(header_bytes).unwrap_or(usize::MAX).min(record.len());
    let mut content_at = usize::try_from(header_bytes).unwrap_or(usize::MAX);
    let mut columns = Vec::new();
    while at < header_end && columns.len() < most {
        let Some((serial_type, n)) = varint::read(&record[at..]) else {
            break;
        };
        let length = usize::try_from(content_bytes(serial_type)).unwrap_or(usize::MAX);
        let end = content_at.saturating_add(length);
        let content = content_at.min(record.len())..end.min(record.len());
        columns.push(Column { type_at: at..at + n, serial_type, content });
        at += n;
        content_at = end;
    }
    columns
}

/// True if the header of `record` ends with its last serial type, the contents end with the last byte, and no type is
/// reserved, as in every record that SQLite writes.
pub fn is_whole(record: &[u8]) -> bool {
    let header_bytes = varint::read(record).and_then(|(bytes, _)| usize::try_from(bytes).ok());
    let columns = columns(record);
    let header_end = columns.last().map_or(1, |column| column.type_at.end);
    let content_bytes: u64 =
        columns.iter().fold(0, |sum, column| content_bytes(column.serial_type).saturating_add(sum));
    header_bytes == Some(header_end)
        && content_bytes == (record.len() - header_end.min(record.len())) as u64
        && columns.iter().all(|column| !matches!(column.serial_type, 10 | 11))
}

/// The value of a column.
pub fn value(record: &[u8], column: &Column) -> Value {
    let content = &record[column.content.clone()];
    match column.serial_type {
        0 | 10 | 11 => Value::Null,
        1..=6 => Value::Integer(integer(content)),
        7 => Value::Real(f64::from_bits(integer(content) as u64)),
        8 => Value::Integer(0),
        9 => Value::Integer(1),
        n if n % 2 == 0 => Value::Blob(content.to_vec()),
        _ => Value::Text(content.to_vec()),
    }
}

/// The values of `record`.
pub fn values(record: &[u8]) -> Vec<Value> {
    columns(record).iter().map(|column| value(record, column)).collect()
}

/// A big-endian two's-complement number.
fn integer(content: &[u8]) -> i64 {
    let negative = content.first().is_some_and(|byte| byte & 0x80 != 0);
    let start = if negative { -1 } else { 0 };
    content.iter().fold(start, |value, &byte| value << 8 | i64::from(byte))
}

/// Writes a well-formed record, each value in its shortest form.
pub fn encode(values: &[Value]) -> Vec<u8> {
    let mut types = Vec::new();
    let mut contents = Vec::new();
    for value in values {
        varint::write(encode_value(value, &mut contents), &mut types);
    }
    // The header's length includes its own varint, which may grow because of that.
    let mut header_bytes = types.len() + 1;
    while header_bytes != types.len() + varint::len(header_bytes as u64) {
        header_bytes = types.len() + varint::len(header_bytes as u64);
    }
    let mut record = Vec::with_capacity(header_bytes + contents.len());
    varint::write(header_bytes as u64, &mut record);
    record.append(&mut types);
    record.append(&mut contents);
    record
}

/// Appends the content of `value` and returns its serial type.
fn encode_value(value: &Value, contents: &mut Vec<u8>) -> u64 {
    match value {
        Value::Null => 0,
        Value::Integer(0) => 8,
        Value::Integer(1) => 9,
        Value::Integer(n) => {
            let (serial_type, width) = [(1, 1), (2, 2), (3, 3), (4, 4), (5, 6)]
                .into_iter()
                .find(|&(_, width)| n << (64 - 8 * width) >> (64 - 8 * width) == *n)
                .unwrap_or((6, 8));
            contents.extend_from_slice(&n.to_be_bytes()[8 - width..]);
            serial_type
        }
        Value::Real(x) => {
            contents.extend_from_slice(&x.to_bits().to_be_bytes());
            7
        }
        Value::Text(text) => {
            contents.extend_from_slice(text);
            13 + 2 * text.len() as u64
        }
        Value::Blob(blob) => {
            contents.extend_from_slice(blob);
            12 + 2 * blob.len() as u64
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_round_trip() {
        let all = vec![
            Value::Null,
            Value::Integer(0),
            Value::Integer(1),
            Value::Integer(-1),
            Value::Integer(127),
            Value::Integer(-129),
            Value::Integer(1 << 23),
            Value::Integer(i64::from(i32::MIN)),
            Value::Integer(1 << 47),
            Value::Integer(i64::MIN),
            Value::Real(-0.5),
            Value::Text(b"text".to_vec()),
            Value::Blob(vec![0; 300]),
        ];
        assert_eq!(values(&encode(&all)), all);
        // A header whose length needs a second byte only because it includes itself.
        let wide = vec![Value::Null; 127];
        assert_eq!(values(&encode(&wide)), wide);
    }

    #[test]
    fn any_bytes_have_columns_within_them() {
        let mut rng = fastrand::Rng::with_seed(3);
        for _ in 0..50_000 {
            let record: Vec<u8> = (0..rng.usize(0..40)).map(|_| rng.u8(..)).collect();
            for column in columns(&record) {
                assert!(column.type_at.end <= record.len() && column.content.end <= record.len());
                value(&record, &column);
            }
        }
    }
}
