//! Seed corpora as OSS-Fuzz takes them: a flat zip.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Cursor, Read, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

/// Most bytes of a seed that are read: no zip bomb fills the disk.
const SEED_BYTES_MAX: u64 = 64 << 20;

/// A zip of these files. No times and one mode for all, so that the same files give the same bytes.
pub(crate) fn write(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::DEFAULT)
        .unix_permissions(0o644);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(name.as_str(), options)
            .and_then(|()| Ok(zip.write_all(content)?))
            .context("zipping")?;
    }
    Ok(zip.finish().context("zipping")?.into_inner())
}

/// The files of a zip by name.
///
/// # Errors
/// What is no zip, has no file in it, a folder, two files of a name, or a file that is too large.
pub(crate) fn read(path: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    read_inner(path).with_context(|| format!("{}", path.display()))
}

fn read_inner(path: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut zip = ZipArchive::new(File::open(path)?)?;
    let mut files = BTreeMap::new();
    for i in 0..zip.len() {
        let mut entry = zip.by_index(i)?;
        let name = entry.name()?.into_owned();
        if entry.is_dir() || name.contains(['/', '\\']) || name == ".." {
            bail!("`{name}` is a folder or in one, but seed archives are flat");
        }
        let mut content = Vec::new();
        entry.by_ref().take(SEED_BYTES_MAX + 1).read_to_end(&mut content)?;
        if content.len() as u64 > SEED_BYTES_MAX {
            bail!("`{name}` has more than {SEED_BYTES_MAX} bytes");
        }
        files.insert(name, content);
    }
    if files.is_empty() {
        bail!("it contains no seed");
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(files: &[(&str, &[u8])]) -> (tempfile::TempDir, std::path::PathBuf) {
        let files = files.iter().map(|(name, content)| ((*name).to_owned(), content.to_vec())).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seeds.zip");
        std::fs::write(&path, write(&files).unwrap()).unwrap();
        (folder, path)
    }

    #[test]
    fn a_zip_is_read_back_and_always_the_same() {
        let files: [(&str, &[u8]); 2] = [("a", b"SELECT 1"), ("b", &[0; 100_000])];
        let (_folder, path) = written(&files);
        let read_back = read(&path).unwrap();
        assert_eq!(read_back["a"], b"SELECT 1");
        assert_eq!(read_back["b"].len(), 100_000);
        let (_other_folder, other) = written(&files);
        assert_eq!(std::fs::read(path).unwrap(), std::fs::read(other).unwrap());
    }

    #[test]
    fn what_is_wrong_with_a_zip_is_said() {
        for (files, word) in
            [(&[][..], "no seed"), (&[("a/b", &b"x"[..])][..], "flat"), (&[("..", &b"x"[..])][..], "flat")]
        {
            let (_folder, path) = written(files);
            let error = format!("{:#}", read(&path).unwrap_err());
            assert!(error.contains(word) && error.contains("seeds.zip"), "{error}");
        }
        let (_folder, path) = written(&[("a", b"SELECT 1")]);
        std::fs::write(&path, "no zip").unwrap();
        assert!(read(&path).is_err());
    }
}
