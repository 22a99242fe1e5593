//! The Parquet index: one row per sample, no pixels.

use std::fs::File;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::part::Row;
use crate::DataError;

const SCHEMA: &str = "message sample {
    required binary id (STRING);
    required binary shard (STRING);
    required int64 offset;
    required int64 length;
    required binary sha256 (STRING);
    required binary kind (STRING);
    required binary text (STRING);
    required binary source (STRING);
    required binary licence (STRING);
}";

/// Writes the index, one row group per shard.
pub(crate) struct IndexWriter<W: Write + Send> {
    inner: SerializedFileWriter<W>,
}

impl<W: Write + Send> IndexWriter<W> {
    pub(crate) fn new(out: W) -> Result<Self> {
        let schema = Arc::new(parse_message_type(SCHEMA)?);
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by("avocet".to_string())
            .build();
        Ok(Self {
            inner: SerializedFileWriter::new(out, schema, Arc::new(properties))?,
        })
    }

    /// Appends the rows of one shard.
    pub(crate) fn append(&mut self, shard: &str, rows: &[Row]) -> Result<()> {
        let texts: [&dyn Fn(&Row) -> String; 7] = [
            &|row| row.id.clone(),
            &|_| shard.to_string(),
            &|row| row.sha256.clone(),
            &|row| row.kind.clone(),
            &|row| row.text.clone(),
            &|row| row.source.clone(),
            &|row| row.licence.clone(),
        ];
        let mut group = self.inner.next_row_group()?;
        let mut texts = texts.into_iter();
        for column in 0..9 {
            let mut writer = group.next_column()?.ok_or_else(|| missing(column))?;
            if matches!(column, 2 | 3) {
                let number = |row: &Row| if column == 2 { row.offset } else { row.length };
                let values: Vec<i64> = rows.iter().map(|row| number(row) as i64).collect();
                writer
                    .typed::<Int64Type>()
                    .write_batch(&values, None, None)?;
            } else {
                let text = texts.next().ok_or_else(|| missing(column))?;
                let values: Vec<ByteArray> = rows
                    .iter()
                    .map(|row| ByteArray::from(text(row).into_bytes()))
                    .collect();
                writer
                    .typed::<ByteArrayType>()
                    .write_batch(&values, None, None)?;
            }
            writer.close()?;
        }
        group.close()?;
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<W> {
        self.inner.into_inner()
    }
}

fn missing(column: usize) -> ParquetError {
    ParquetError::General(format!("column {column} is missing"))
}

/// Where a sample lies and what is promised about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub id: String,
    pub shard: String,
    pub offset: u64,
    pub length: u64,
    pub sha256: String,
    pub kind: String,
    pub source: String,
    pub licence: String,
}

/// Hands every row of the index at `path` to `each`; at most `limit` rows.
///
/// Errors if the file is not such an index; other people's code reads it, so a panic in there
/// counts as a broken file.
pub(crate) fn read_index(
    path: &Path,
    limit: u64,
    mut each: impl FnMut(Entry),
) -> Result<(), DataError> {
    let file = File::open(path).map_err(DataError::io(path))?;
    catch_unwind(AssertUnwindSafe(|| read_rows(file, limit, &mut each)))
        .unwrap_or_else(|_| Err(ParquetError::General("not a readable Parquet file".into())))
        .map_err(|e| DataError::broken(path, e))
}

fn read_rows(file: File, limit: u64, each: &mut impl FnMut(Entry)) -> Result<()> {
    let reader = SerializedFileReader::new(file)?;
    let expected = parse_message_type(SCHEMA)?;
    if reader.metadata().file_metadata().schema() != &expected {
        return Err(ParquetError::General(
            "its columns are not those of a sample index".into(),
        ));
    }
    let mut total = 0u64;
    for number in 0..reader.num_row_groups() {
        let group = reader.get_row_group(number)?;
        let rows = u64::try_from(group.metadata().num_rows()).unwrap_or(u64::MAX);
        total = total.saturating_add(rows);
        if total > limit {
            let reason = format!("it has {total} rows or more, the manifest counts {limit}");
            return Err(ParquetError::General(reason));
        }
        read_group(group.as_ref(), rows as usize, each)?;
    }
    Ok(())
}

fn read_group(group: &dyn RowGroupReader, rows: usize, each: &mut impl FnMut(Entry)) -> Result<()> {
    let ids = column::<ByteArrayType>(group, 0, rows)?;
    let shards = column::<ByteArrayType>(group, 1, rows)?;
    let offsets = column::<Int64Type>(group, 2, rows)?;
    let lengths = column::<Int64Type>(group, 3, rows)?;
    let hashes = column::<ByteArrayType>(group, 4, rows)?;
    let kinds = column::<ByteArrayType>(group, 5, rows)?;
    let sources = column::<ByteArrayType>(group, 7, rows)?;
    let licences = column::<ByteArrayType>(group, 8, rows)?;
    for i in 0..rows {
        each(Entry {
            id: text(&ids[i])?,
            shard: text(&shards[i])?,
            offset: number(offsets[i])?,
            length: number(lengths[i])?,
            sha256: text(&hashes[i])?,
            kind: text(&kinds[i])?,
            source: text(&sources[i])?,
            licence: text(&licences[i])?,
        });
    }
    Ok(())
}

fn column<T: DataType>(group: &dyn RowGroupReader, index: usize, rows: usize) -> Result<Vec<T::T>> {
    let mut values = Vec::new();
    let mut reader = get_typed_column_reader::<T>(group.get_column_reader(index)?);
    while values.len() < rows {
        let (_, read, _) = reader.read_records(rows - values.len(), None, None, &mut values)?;
        if read == 0 {
            let found = values.len();
            return Err(ParquetError::General(format!(
                "{rows} rows promised, {found} found"
            )));
        }
    }
    Ok(values)
}

fn text(value: &ByteArray) -> Result<String> {
    Ok(value.as_utf8()?.to_string())
}

fn number(value: i64) -> Result<u64> {
    u64::try_from(value).map_err(|_| ParquetError::General(format!("{value} is negative")))
}
