//! Files in folders: read ahead of whoever uses the bytes, written behind, and there under their names only when
//! they are whole and on disk.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use tokio::fs;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, spawn_blocking};

use super::{ObjectError, failed, remove_file};

/// Bytes that are read or written at once: few in memory, and many beside the cost of handing them to a thread.
const PIECE_BYTES: usize = 1 << 20;

/// Pieces that are read ahead.
const PIECES_AHEAD: usize = 1;

/// Pieces of one file that are on the way to the disk at once; one more is being gathered.
const WRITES_MAX: usize = 2;

/// Bytes after which a file is synced. The disk begins early, has little left to do at the end, and the memory of the
/// system does not fill with what it still has to write.
const SYNC_BYTES: u64 = 64 << 20;

/// What a thread sends to whom, until nobody listens.
pub(super) type Sender<T> = mpsc::Sender<Result<T, ObjectError>>;

/// What a thread of its own sends, as far ahead as it is listened to.
pub(super) fn from_thread<T: Send + 'static>(
    ahead: usize,
    send: impl FnOnce(&Sender<T>) -> io::Result<()> + Send + 'static,
) -> BoxStream<'static, Result<T, ObjectError>> {
    let (sender, listener) = mpsc::channel(ahead);
    spawn_blocking(move || {
        if let Err(error) = send(&sender) {
            // Nobody listens any more if this fails.
            drop(sender.blocking_send(Err(failed(error))));
        }
    });
    stream::unfold(listener, async |mut listener| Some((listener.recv().await?, listener))).fuse().boxed()
}

/// Reads a range of a file. One that ends before is an error.
pub(super) fn read(file: File, range: Range<u64>) -> BoxStream<'static, Result<Bytes, ObjectError>> {
    from_thread(PIECES_AHEAD, move |pieces| {
        let Range { mut start, end } = range;
        while start < end {
            let bytes = usize::try_from(end - start).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
            let mut piece = vec![0; bytes];
            file.read_exact_at(&mut piece, start)?;
            start += bytes as u64;
            if pieces.blocking_send(Ok(piece.into())).is_err() {
                break;
            }
        }
        Ok(())
    })
}

/// A file that is being written beside the one that it becomes, under a name that no listing shows.
pub(super) struct NewFile {
    file: Arc<File>,
    unfinished: Unfinished,
    finished: PathBuf,
    /// The folder that it is somewhere in.
    folder: PathBuf,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    /// Bytes that are written or on the way.
    written_bytes: u64,
    writes: JoinSet<io::Result<()>>,
}

/// A file that goes with whoever is writing it, until it has got its name.
struct Unfinished(Option<PathBuf>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let (Some(path), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            drop(runtime.spawn_blocking(move || std::fs::remove_file(path)));
        }
    }
}

impl NewFile {
    /// Begins a file in a folder, or in a folder of it that is there. `attempt` is a number that no other attempt at
    /// this file has at the same time.
    pub(super) async fn create(folder: &Path, name: &str, attempt: u32) -> io::Result<Self> {
        let finished = folder.join(name);
        let unfinished = unfinished(&finished, attempt);
        let file = fs::File::create(&unfinished).await?.into_std().await;
        Ok(Self {
            file: Arc::new(file),
            unfinished: Unfinished(Some(unfinished)),
            finished,
            folder: folder.to_owned(),
            gathered: Vec::new(),
            gathered_bytes: 0,
            written_bytes: 0,
            writes: JoinSet::new(),
        })
    }

    /// Writes more bytes, as soon as there is room for them.
    pub(super) async fn put(&mut self, bytes: Bytes) -> io::Result<()> {
        self.gathered_bytes += bytes.len();
        self.gathered.push(bytes);
        if self.gathered_bytes >= PIECE_BYTES { self.write().await } else { Ok(()) }
    }

    async fn write(&mut self) -> io::Result<()> {
        self.wait(WRITES_MAX - 1).await?;
        let pieces = std::mem::take(&mut self.gathered);
        let mut at = self.written_bytes;
        self.written_bytes += std::mem::take(&mut self.gathered_bytes) as u64;
        // While one piece waits for the disk the next ones are written, until one of them waits as well.
        let syncs = at / SYNC_BYTES < self.written_bytes / SYNC_BYTES;
        let file = Arc::clone(&self.file);
        self.writes.spawn_blocking(move || {
            for piece in pieces {
                file.write_all_at(&piece, at)?;
                at += piece.len() as u64;
            }
            if syncs { file.sync_data() } else { Ok(()) }
        });
        Ok(())
    }

    /// Waits until no more than so many pieces are on the way.
    async fn wait(&mut self, left: usize) -> io::Result<()> {
        while self.writes.len() > left {
            if let Some(written) = self.writes.join_next().await {
                written??;
            }
        }
        Ok(())
    }

    /// Ends the file: it is there, whole and durable, from now on.
    pub(super) async fn finish(mut self) -> io::Result<()> {
        let ended = self.end().await;
        if ended.is_err() {
            self.abort().await;
        }
        ended
    }

    async fn end(&mut self) -> io::Result<()> {
        self.write().await?;
        self.wait(0).await?;
        let file = Arc::clone(&self.file);
        spawn_blocking(move || file.sync_all()).await??;
        if let Some(unfinished) = &self.unfinished.0 {
            fs::rename(unfinished, &self.finished).await?;
            self.unfinished.0 = None;
        }
        self.sync_folders().await
    }

    /// Makes the names on the way to the file durable, from the inside out.
    async fn sync_folders(&self) -> io::Result<()> {
        for folder in self.finished.ancestors().skip(1) {
            fs::File::open(folder).await?.sync_all().await?;
            if folder == self.folder {
                break;
            }
        }
        Ok(())
    }

    /// Gives the file up.
    pub(super) async fn abort(mut self) {
        if let Some(unfinished) = self.unfinished.0.take() {
            drop(remove_file(unfinished).await);
        }
    }
}

/// Names that end in `#` and digits are hidden from every reader.
pub(super) fn unfinished(finished: &Path, attempt: u32) -> PathBuf {
    let mut name = finished.as_os_str().to_owned();
    name.push(format!("#{attempt}"));
    name.into()
}
