use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cgcg_core::{Clock, SystemClock};

use crate::Failure;

/// Every 20 ms the file `PID` is made anew: tasks done (u64), and when the first and the last began (f64, Unix
/// time in seconds), all little endian. `PID.lat` gets, where wanted, a line for each task: how late it began, in
/// milliseconds.
pub(crate) struct Stats {
    count: Arc<Mutex<Count>>,
    late: Option<Mutex<File>>,
}

#[derive(Clone, Copy, Default)]
struct Count {
    done: u64,
    first: f64,
    last: f64,
}

impl Stats {
    pub(crate) fn start(
        clock: Arc<SystemClock>,
        folder: &Path,
        late: bool,
    ) -> Result<Self, Failure> {
        let process = std::process::id();
        let late = late.then(|| File::create(folder.join(format!("{process}.lat"))));
        let late = late.transpose()?.map(Mutex::new);
        let count = Arc::new(Mutex::new(Count::default()));
        let (seen, file) = (count.clone(), folder.join(process.to_string()));
        tokio::spawn(async move { keep(&*clock, &seen, &file).await });
        Ok(Self { count, late })
    }

    pub(crate) fn one(&self, begun: f64, late: f64) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        if count.done == 0 {
            count.first = begun;
        }
        count.done += 1;
        count.last = begun;
        drop(count);
        if let Some(file) = &self.late {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = writeln!(file, "{:.3}", late * 1e3) {
                eprintln!("cannot write how late a task began: {error}");
            }
        }
    }
}

async fn keep(clock: &dyn Clock, count: &Mutex<Count>, file: &Path) {
    let mut told = 0;
    loop {
        clock.sleep(Duration::from_millis(20)).await;
        let now = *count.lock().unwrap_or_else(PoisonError::into_inner);
        if now.done == told {
            continue;
        }
        told = now.done;
        let bytes = [
            now.done.to_le_bytes(),
            now.first.to_le_bytes(),
            now.last.to_le_bytes(),
        ];
        let new = file.with_extension("new");
        let kept = std::fs::write(&new, bytes.concat()).and_then(|()| std::fs::rename(&new, file));
        if let Err(error) = kept {
            eprintln!("cannot write {}: {error}", file.display());
        }
    }
}
