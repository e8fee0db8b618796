//! Packs the web app: each file of `src/web/app` and `src/web/vendor` compressed, ours without comments, and a table of
//! them all (`$OUT_DIR/assets.rs`, read by `src/web` alone).

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

const PAGE: &str = "index.html";
/// The sheet that all pages share; those of single pages go out with it, behind it: they have so much in common that
/// together they take a quarter less.
const STYLE: &str = "style.css";
/// Where the app lies, and what is by others.
const PLACES: [&str; 2] = [OURS, "src/web/vendor"];
const OURS: &str = "src/web/app";
/// What is served at the root, as browsers want it there; all else is served below `/app/`.
const AT_ROOT: [(&str, &str); 4] = [
    (PAGE, "/"),
    (PAGE, "/pair"), // where a QR code leads
    ("manifest.webmanifest", "/manifest.webmanifest"),
    ("sw.js", "/sw.js"), // a service worker rules what lies below it
];

/// A file of the app, as a browser is to read it.
struct File {
    source: PathBuf,
    /// Below its place.
    name: String,
    kind: &'static str,
    content: Vec<u8>,
}

/// Writes the table and what it includes into `out`, and `assets.version`: a name for all files together. The page names
/// the others below that, so that browsers may keep them for good.
pub(crate) fn pack(out: &Path) -> io::Result<()> {
    let mut files = read_all()?;
    join_styles(&mut files);
    let version = version_of(&files);
    let page = files.iter_mut().find(|file| file.name == PAGE).expect("the app has a page");
    let text = String::from_utf8(std::mem::take(&mut page.content)).map_err(io::Error::other)?;
    page.content = text.replace("\"/app/", &format!("\"/app/{version}/")).into_bytes();
    fs::write(out.join("assets.version"), version)?;

    let mut table = String::from("&[\n");
    for File { source, name, kind, content } in &files {
        let Packed { etag, file, is_gzip } = Packed::new(content, source, out)?;
        let at_root: Vec<_> =
            AT_ROOT.iter().filter(|(file, _)| file == name).map(|(_, path)| (*path).to_owned()).collect();
        for path in if at_root.is_empty() { vec![format!("/app/{name}")] } else { at_root } {
            let _ = writeln!(
                table,
                "Asset {{ path: {path:?}, content_type: {kind:?}, etag: \"\\\"{etag}\\\"\", \
                 is_gzip: {is_gzip}, body: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{file}\")) }},"
            );
        }
    }
    table.push_str("]\n");
    fs::write(out.join("assets.rs"), table)
}

/// All that browsers read, in the order of names within each place.
fn read_all() -> io::Result<Vec<File>> {
    let mut all = Vec::new();
    for place in PLACES {
        println!("cargo::rerun-if-changed={place}");
        let mut files = Vec::new();
        collect(Path::new(place), &mut files)?;
        files.sort();
        for source in files {
            let Some(kind) = content_type(&source) else { continue }; // licences and lists of what is by others
            let name = source.strip_prefix(place).expect("it was found there").to_string_lossy().into_owned();
            let mut content = fs::read(&source)?;
            if place == OURS {
                content = lean(&source, content)
                    .map_err(|why| io::Error::other(format!("{}: {why}", source.display())))?;
            }
            all.push(File { source, name, kind, content });
        }
    }
    Ok(all)
}

/// Leaves [`STYLE`] alone of our sheets, with the others in it, in the order of their names.
fn join_styles(files: &mut Vec<File>) {
    let is_of_page = |file: &mut File| file.name.ends_with(".css") && file.name != STYLE;
    let all: Vec<u8> = files.extract_if(.., is_of_page).flat_map(|file| file.content).collect();
    let style = files.iter_mut().find(|file| file.name == STYLE).expect("the app has a sheet");
    style.content.extend(all);
}

/// The first 8 bytes of the SHA-256 of all names and contents, in hexadecimal.
fn version_of(files: &[File]) -> String {
    let mut all = Sha256::new();
    for File { name, content, .. } in files {
        all.update(name);
        all.update(Sha256::digest(content));
    }
    hexadecimal(&all.finalize()[..8])
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |all, byte| all + &format!("{byte:02x}"))
}

/// A file as it is embedded.
struct Packed {
    /// The first 16 bytes of the SHA-256 of its content, in hexadecimal.
    etag: String,
    /// In `OUT_DIR`; the table has no path of this machine.
    file: String,
    is_gzip: bool,
}

impl Packed {
    fn new(content: &[u8], source: &Path, out: &Path) -> io::Result<Self> {
        let etag = hexadecimal(&Sha256::digest(content)[..16]);
        let is_gzip = source.extension().is_none_or(|e| e != "png"); // which is compressed already
        let file = format!("{etag}.{}", if is_gzip { "gz" } else { "bin" });
        let place = out.join(&file);
        // Its name tells its content, so what an earlier build left is good.
        if !place.exists() {
            let mut packed = Vec::new();
            if is_gzip {
                zopfli::compress(zopfli::Options::default(), zopfli::Format::Gzip, content, &mut packed)?;
            } else {
                packed.extend_from_slice(content);
            }
            let partial = place.with_extension("part");
            fs::write(&partial, packed)?;
            fs::rename(partial, place)?;
        }
        Ok(Self { etag, file, is_gzip })
    }
}

/// A file of ours without what only people read.
fn lean(file: &Path, content: Vec<u8>) -> Result<Vec<u8>, String> {
    let minify: fn(&str) -> Result<String, &'static str> = match file.extension().and_then(|e| e.to_str()) {
        Some("js") => |text| Ok(minifier::js::minify(text)?.to_string()),
        Some("css") => |text| Ok(minifier::css::minify(text)?.to_string()),
        _ => return Ok(content),
    };
    let text = String::from_utf8(content).map_err(|_| "it is not UTF-8")?;
    Ok(minify(&text)?.into_bytes())
}

fn content_type(file: &Path) -> Option<&'static str> {
    Some(match file.extension()?.to_str()? {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "wasm" => "application/wasm",
        "webmanifest" => "application/manifest+json",
        _ => return None,
    })
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
