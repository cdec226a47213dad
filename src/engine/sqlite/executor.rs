//! Takes one case from an empty disk to an [`Observation`].

use std::cell::{Cell, OnceCell, RefCell};
use std::ffi::CStr;
use std::rc::Rc;

use twox_hash::XxHash3_64;

use super::execution::{self, Execution};
use super::ffi::fiber::Stack;
use super::ffi::{Connection, Watch, process};
use super::operations::OnSwitch;
use super::{Exclusive, end, health, operations, settings, view};
use crate::dbfile::damage::{self, Assessment};
use crate::engine::plant::Plant;
use crate::engine::transcript::Transcript;
use crate::engine::{Asked, Code, Engine, FileDigest, Limit, Observation, StatementObserver, Value};
use crate::faults::machine::Machine;
use crate::faults::vfs::Vfs;
use crate::faults::{alloc, fresh, rules};
use crate::schedules::Scheduler;
use crate::sql::vocabulary::{Function, Vocabulary};
use crate::sql::{self, VirtualTable};
use crate::stack;
use crate::testcase::RICH_SCHEMA;
use crate::testcase::{
    FaultPlan, FileName, FileSet, MAIN_DB, OpenConfig, OpenOptions, Phase, Setting, TestCase,
};

pub(super) const MAIN_PATH: &CStr = c"main.db";
/// By what the bytes of memory that was never written differ if they are to be others: in half of their bits.
const OTHER_FRESH: u8 = 0xa5;
/// What one run may use. Everything is counted; nothing is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Virtual-machine steps of all statements together; rounded up to a multiple of 100.
    pub vm_steps: u64,
    /// Total bytes that SQLite requests from its allocator.
    pub alloc_bytes: u64,
    /// Bytes that SQLite may hold at once (`sqlite3_hard_heap_limit64`).
    pub heap_bytes: u64,
    /// Bytes on the simulated disk.
    pub disk_bytes: usize,
    /// Bytes of a string, blob or row (`SQLITE_LIMIT_LENGTH`), unless the case sets its own.
    pub length_bytes: u32,
    /// Rows of all statements together, 0 for no limit; `None` to use the case's setting.
    pub rows: Option<u64>,
    /// Whether the other limits (`sqlite3_limit`), if the case sets none, are those of SQLite's own fuzzcheck; otherwise
    /// they are the largest possible.
    pub has_small_limits: bool,
    /// Whether oracles that run the whole script again do so in only a few ways, unless the case names the oracle: while
    /// fuzzing, another case finds more than another run of the same one.
    pub has_few_variants: bool,
}

impl Budget {
    /// No limit that a database of a few pages can reach.
    pub const UNLIMITED: Self = Self {
        vm_steps: u64::MAX,
        alloc_bytes: u64::MAX,
        heap_bytes: 0,
        disk_bytes: 64 << 20,
        length_bytes: 1_000_000,
        rows: None,
        has_small_limits: true,
        has_few_variants: false,
    };
}

/// When a machine's files are captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// After the connection was closed.
    Closed,
    /// With the connection open.
    PowerCut,
}

/// What a target runs on a case's connection.
pub trait Program {
    /// Runs it.
    fn run(&self, case: &TestCase, execution: &mut Execution<'_>);

    /// The program as a script, as far as that is known without an engine, for comparing two engines; `None` if
    /// it is the case's script.
    fn script(&self, _case: &TestCase) -> Option<String> {
        None
    }
}

/// The operations of the case, and the script, statement by statement.
pub struct ScriptProgram;

impl Program for ScriptProgram {
    fn run(&self, case: &TestCase, execution: &mut Execution<'_>) {
        let text = case.sql.as_bytes();
        let mut statements = sql::statements(text);
        if !case.operations.is_empty() {
            operations::run(&case.operations, &mut statements, execution);
        }
        for range in statements {
            if execution.is_over() {
                break;
            }
            execution.run(&text[range.clone()], range);
        }
    }
}

/// Runs cases, one after the other, on its own VFS.
pub struct Executor {
    pub(super) vfs: Vfs,
    pub(super) plant: Option<Plant>,
    meets_known_bugs: bool,
    /// What is different about memory that was never written: see [`Executor::run_with_other_fresh_memory`].
    other_fresh: u8,
    pub(super) on_statement: Option<Box<StatementObserver>>,
    /// The main database of cases that ask for the rich schema.
    rich_image: OnceCell<Vec<u8>>,
    /// The last case without its faults, as a hash, with its run: see [`Executor::reference`].
    reference: Option<(u64, Rc<Observation>)>,
    /// Stacks for connections that take turns.
    pub(super) stacks: Cell<Vec<Stack>>,
    /// Hears of each switch between connections.
    pub(super) on_switch: RefCell<Option<Rc<OnSwitch>>>,
    /// Who chooses the turns of the next run; the schedule of the case, if there is none.
    pub(super) scheduler: RefCell<Option<Box<dyn Scheduler>>>,
}

impl Executor {
    /// An executor for a process that also does other things with SQLite.
    pub fn shared() -> Self {
        process::initialize();
        Self::new(false)
    }

    /// An executor for a process that does nothing else; see [`process::isolate`].
    pub fn isolated() -> Self {
        process::isolate();
        Self::new(true)
    }

    fn new(is_default_vfs: bool) -> Self {
        process::fix_local_time();
        Self {
            vfs: Vfs::register(is_default_vfs),
            plant: None,
            meets_known_bugs: false,
            other_fresh: 0,
            on_statement: None,
            rich_image: OnceCell::new(),
            reference: None,
            stacks: Cell::default(),
            on_switch: RefCell::default(),
            scheduler: RefCell::default(),
        }
    }

    /// Lets cases open their files through the VFS `name` of a built-in extension.
    ///
    /// # Errors
    /// If the extension registers no VFS of that name.
    pub fn open_through(&mut self, name: &str) -> Result<(), String> {
        let exclusive = super::exclusive();
        // An extension registers itself when the first connection is opened.
        self.prepare_machine(&exclusive, &FileSet::default(), &OpenConfig::default(), &Budget::UNLIMITED);
        Connection::open(&self.vfs, MAIN_PATH).map_err(|code| code.to_string())?.close();
        self.vfs.open_through(name)
    }

    /// Calls `on_switch` with each switch between connections before it takes effect.
    pub fn on_switch(&mut self, on_switch: Rc<OnSwitch>) {
        self.on_switch.replace(Some(on_switch));
    }

    /// Allows statements that trigger a known bug ([`crate::known`]).
    pub fn meet_known_bugs(&mut self) {
        self.meets_known_bugs = true;
    }

    /// Plants a bug for all further cases.
    pub fn plant(&mut self, plant: Plant) {
        self.plant = Some(plant);
    }

    /// Whether statements that trigger a known bug are allowed.
    pub fn meets_known_bugs(&self) -> bool {
        self.meets_known_bugs
    }

    /// Whether a bug is planted.
    pub fn is_planted(&self, plant: Plant) -> bool {
        self.plant == Some(plant)
    }

    /// Runs `program` on `case` and observes what the oracles need to judge any run.
    pub fn run(&mut self, case: &TestCase, program: &dyn Program, budget: &Budget) -> Observation {
        self.run_asking(case, program, budget, Asked::VERDICTS)
    }

    /// Runs `program` on `case` and observes what is asked for.
    pub fn run_asking(
        &mut self,
        case: &TestCase,
        program: &dyn Program,
        budget: &Budget,
        asked: Asked,
    ) -> Observation {
        let exclusive = super::exclusive();
        self.build_rich_image(&exclusive, &case.config);
        let lock_byte = case.config.lock_byte();
        let start = health::assess(&case.files, MAIN_DB, lock_byte);
        let memory_before = alloc::counts();
        process::take_page_overrun();
        process::take_log();
        process::take_heap_peak();
        self.prepare_machine(&exclusive, &case.files, &case.config, budget);
        if asked.has_files {
            self.vfs.machine().check_order();
        }
        let mut observation = self.observe(case, program, budget, asked, &start);
        let memory = alloc::counts();
        observation.leaked = (memory.live_bytes - memory_before.live_bytes, memory.live - memory_before.live);
        observation.page_overrun = process::take_page_overrun();
        observation.log = process::take_log();
        observation.heap_peak = process::take_heap_peak();
        let machine = self.vfs.install(Machine::new(0));
        observation.open_files = machine.disk.open_handles();
        observation.order_violation = machine.order_violation().map(str::to_owned);
        if asked.has_files {
            observation.trace.files = digests(&machine);
            if health::has_written(&observation.trace) {
                let files = machine.disk.named_files();
                let named =
                    files.iter().filter_map(|&(name, image)| Some((str::from_utf8(name).ok()?, image)));
                observation.left = health::assess_left(named, &case.files, lock_byte);
            }
        }
        observation.start = Some(start);
        observation
    }

    /// Runs `program` on `case`, whose connections take turns as `scheduler`, whose run has begun, chooses; returns the
    /// scheduler as well. The schedule that repeats the run is in [`crate::engine::Trace::turns`].
    pub fn run_scheduled(
        &mut self,
        case: &TestCase,
        program: &dyn Program,
        budget: &Budget,
        asked: Asked,
        scheduler: Box<dyn Scheduler>,
    ) -> (Observation, Box<dyn Scheduler>) {
        self.scheduler.replace(Some(scheduler));
        let observation = self.run_asking(case, program, budget, asked);
        (observation, self.scheduler.take().expect("a run gives it back"))
    }

    /// A run of the case without its faults, with views. The last one is kept: many cases that differ in their faults alone
    /// come one after the other.
    pub fn reference(&mut self, case: &TestCase, program: &dyn Program, budget: &Budget) -> Rc<Observation> {
        let undisturbed = TestCase { faults: FaultPlan::default(), ..case.clone() };
        // With the budget, since another target may run something else on the same case.
        let budget_hash = XxHash3_64::oneshot(format!("{budget:?}").as_bytes());
        let hash = XxHash3_64::oneshot_with_seed(budget_hash, &undisturbed.encode());
        match &self.reference {
            Some((of, observation)) if *of == hash => Rc::clone(observation),
            _ => {
                let observation = Rc::new(self.run_asking(&undisturbed, program, budget, Asked::VIEWS));
                self.reference = Some((hash, Rc::clone(&observation)));
                observation
            }
        }
    }

    /// Runs as [`Executor::run`] does, but with other bytes in memory that SQLite has not written yet.
    pub fn run_with_other_fresh_memory(
        &mut self,
        case: &TestCase,
        program: &dyn Program,
        budget: &Budget,
    ) -> Observation {
        self.other_fresh = OTHER_FRESH;
        let observation = self.run(case, program, budget);
        self.other_fresh = 0;
        observation
    }

    /// The function that allocated what `case` leaks: the case runs again, and each allocation is noted. `None` if it
    /// cannot be determined.
    pub fn leak_site(&mut self, case: &TestCase, program: &dyn Program, budget: &Budget) -> Option<String> {
        let exclusive = super::exclusive();
        let start = health::assess(&case.files, MAIN_DB, case.config.lock_byte());
        self.prepare_machine(&exclusive, &case.files, &case.config, budget);
        let again = || drop(self.observe(case, program, budget, Asked::VERDICTS, &start));
        let stack = alloc::oldest_live_after(again);
        self.vfs.install(Machine::new(0));
        process::take_log();
        process::take_heap_peak();
        let functions = stack?.functions();
        stack::blame_allocation(functions.iter().map(String::as_str))
    }

    /// Whether the database was sound before the first statement, according to both our checks and SQLite's: each finds
    /// things the other misses. `observation` is from a run of `case`.
    pub fn is_healthy_at_start(
        &mut self,
        case: &TestCase,
        budget: &Budget,
        observation: &Observation,
    ) -> bool {
        let exclusive = super::exclusive();
        observation.start == Some(Assessment::Sound) && self.is_healthy_to_sqlite(&exclusive, case, budget)
    }

    /// Must be called before the first case that asks for the rich schema.
    fn build_rich_image(&self, exclusive: &Exclusive, config: &OpenConfig) {
        if config.is_on(Setting::RichSchema) {
            self.rich_image.get_or_init(|| {
                // An older SQLite lacks some functions and clauses: it gets the rest.
                let (files, _) = self.build_files(
                    exclusive,
                    &OpenConfig::default(),
                    RICH_SCHEMA.as_bytes(),
                    Moment::Closed,
                );
                files.main().unwrap_or_default().to_vec()
            });
        }
    }

    /// This build's vocabulary.
    pub fn vocabulary(&self) -> Vocabulary {
        let exclusive = super::exclusive();
        self.prepare_machine(&exclusive, &FileSet::default(), &OpenConfig::default(), &Budget::UNLIMITED);
        let connection =
            Connection::open(&self.vfs, MAIN_PATH).expect("an empty disk has room for a database");
        let names = |list: &str| -> Vec<String> {
            let rows = execution::query(&connection, &format!("SELECT name FROM pragma_{list}_list"));
            rows.unwrap_or_default().into_iter().flatten().map(health::text).collect()
        };
        let functions = execution::query(&connection, "SELECT name, narg, type FROM pragma_function_list");
        let function = |row: Vec<Value>| {
            let [name, arguments, kind] = <[Value; 3]>::try_from(row).ok()?;
            let arguments = match arguments {
                Value::Integer(count) => u8::try_from(count).ok(),
                _ => None,
            };
            Some(Function { name: health::text(name), arguments, kind: health::text(kind).chars().next()? })
        };
        let functions: Vec<Function> = match functions {
            Some(rows) => rows.into_iter().filter_map(function).collect(),
            // Before 3.30, SQLite reports only their names.
            None => names("function")
                .into_iter()
                .map(|name| Function { name, arguments: None, kind: 's' })
                .collect(),
        };
        let vocabulary = Vocabulary::new(functions, names("pragma"), names("module"), names("collation"));
        connection.close();
        vocabulary
    }

    /// A fresh disk with the files of the case, and the process-wide settings.
    fn prepare_machine(&self, exclusive: &Exclusive, files: &FileSet, config: &OpenConfig, budget: &Budget) {
        let mut all: Vec<(&[u8], &[u8])> =
            files.iter().map(|(name, content)| (name.as_str().as_bytes(), content)).collect();
        if config.is_on(Setting::RichSchema) && files.main().is_none() {
            let image = self.rich_image.get().expect("built before the first case that asks for it");
            all.push((MAIN_DB.as_bytes(), image));
        }
        self.prepare_files(exclusive, &all, config, budget);
    }

    /// The same with these files.
    pub(super) fn prepare_files(
        &self,
        _: &Exclusive,
        files: &[(&[u8], &[u8])],
        config: &OpenConfig,
        budget: &Budget,
    ) {
        let bytes: usize = files.iter().map(|(_, content)| content.len()).sum();
        let mut machine = Machine::new(budget.disk_bytes.max(2 * bytes));
        machine.sector_bytes = 1 << config.get(Setting::SectorLog2);
        machine.characteristics = config.get(Setting::DeviceCharacteristics);
        machine.random = fastrand::Rng::with_seed(u64::from(config.get(Setting::RandomSeed)));
        if let Some(Plant::Disk(plant)) = self.plant {
            machine.plant = Some(plant);
        }
        for (name, content) in files {
            machine.disk.put(name, content).expect("the disk holds twice the files");
        }
        fresh::set_seed(config.get(Setting::RandomSeed) as u8 ^ self.other_fresh);
        process::reset(budget.heap_bytes as i64, config.get(Setting::RandomSeed), config.lock_byte());
        self.vfs.install(machine);
    }

    /// The files that `sql` leaves on an empty disk: after the connection was closed, or while
    /// the connection, and possibly a transaction, is still open, as after a power
    /// loss.
    ///
    /// # Errors
    /// The statement that failed, with SQLite's message.
    pub fn files_after(
        &self,
        config: &OpenConfig,
        sql: &(impl AsRef<[u8]> + ?Sized),
        moment: Moment,
    ) -> Result<FileSet, String> {
        let exclusive = super::exclusive();
        match self.build_files(&exclusive, config, sql.as_ref(), moment) {
            (files, None) => Ok(files),
            (_, Some(error)) => Err(error),
        }
    }

    /// The files, and the error of the first statement that failed.
    fn build_files(
        &self,
        exclusive: &Exclusive,
        config: &OpenConfig,
        sql: &[u8],
        moment: Moment,
    ) -> (FileSet, Option<String>) {
        self.prepare_machine(exclusive, &FileSet::default(), config, &Budget::UNLIMITED);
        let connection = match Connection::open(&self.vfs, MAIN_PATH) {
            Ok(connection) => connection,
            Err(code) => return (FileSet::default(), Some(code.to_string())),
        };
        let mut error = None;
        settings::apply(config, &Budget::UNLIMITED, &connection);
        for range in sql::statements(sql) {
            let statement = &sql[range];
            let is_blank = sql::tokenize(statement).iter().all(|token| token.kind.is_blank());
            if !is_blank && execution::query(&connection, statement).is_none() {
                let statement = String::from_utf8_lossy(statement.trim_ascii());
                error.get_or_insert_with(|| format!("{statement}: {}", connection.error_message()));
            }
        }
        let while_open = (moment == Moment::PowerCut).then(|| named_files(&self.vfs.machine()));
        connection.close();
        let machine = self.vfs.install(Machine::new(0));
        (while_open.unwrap_or_else(|| named_files(&machine)), error)
    }

    /// A case's connection, with its settings and budget, on the prepared machine.
    pub(super) fn open(&self, case: &TestCase, budget: &Budget) -> Result<Connection<'_>, Code> {
        let watch = Rc::new(Watch::new());
        watch.set_interrupts(rules::interrupts(&case.faults, Phase::Run));
        let connection = self.open_another(case, budget, MAIN_PATH, false, &watch)?;
        watch.set_budget(budget.vm_steps, budget.alloc_bytes);
        watch.avoids_known_bugs.set(!self.meets_known_bugs);
        let definitions = case.brought_definitions();
        let tables = definitions.iter().filter_map(|sql| VirtualTable::of(sql)).map(|table| table.name);
        watch.virtual_tables.borrow_mut().extend(tables);
        Ok(connection)
    }

    /// Closes a connection of a case.
    pub(super) fn close(&self, connection: Connection<'_>) -> Code {
        if self.plant == Some(Plant::UnfinishedStatement)
            && let (_, Some(statement), _) = connection.prepare(b"SELECT 1")
        {
            statement.forget();
        }
        connection.close()
    }

    /// Another connection of a case, possibly read-only, which shares the others' state.
    pub(super) fn open_another(
        &self,
        case: &TestCase,
        budget: &Budget,
        name: &CStr,
        is_read_only: bool,
        watch: &Rc<Watch>,
    ) -> Result<Connection<'_>, Code> {
        let connection = Connection::open_sharing(&self.vfs, name, is_read_only, Rc::clone(watch))?;
        Ok(self.set_up(connection, case, budget))
    }

    /// The same with options.
    pub(super) fn open_with(
        &self,
        case: &TestCase,
        budget: &Budget,
        file: &FileName,
        options: OpenOptions,
        watch: &Rc<Watch>,
    ) -> Result<Connection<'_>, Code> {
        let connection = Connection::open_with(&self.vfs, file, options, Rc::clone(watch))?;
        Ok(self.set_up(connection, case, budget))
    }

    /// Applies the settings of a case to a connection that was just opened.
    fn set_up<'v>(&self, connection: Connection<'v>, case: &TestCase, budget: &Budget) -> Connection<'v> {
        let taint = settings::apply(&case.config, budget, &connection);
        if let Some(Plant::Function(plant)) = self.plant {
            connection.plant(plant);
        }
        connection.watch().note(taint);
        connection
    }

    /// A connection that knows the functions and collations that the schema of a case may use.
    fn open_to_check(&self, case: &TestCase, budget: &Budget) -> Result<Connection<'_>, Code> {
        let connection = self.open_another(case, budget, MAIN_PATH, false, &Rc::new(Watch::new()))?;
        connection.know_plain_functions();
        Ok(connection)
    }

    /// A case with operations is inspected through a fresh connection: FTS5 of SQLite 3.54.1 checks a table against what its
    /// connection last knew of it, and reports damage if another connection has written since.
    fn observe(
        &self,
        case: &TestCase,
        program: &dyn Program,
        budget: &Budget,
        asked: Asked,
        start: &Assessment,
    ) -> Observation {
        let mut observation = Observation::default();
        let connection = match self.open(case, budget) {
            Ok(connection) => connection,
            Err(code) => {
                (observation.open_failed, observation.close) = (Some(code), Some(code));
                return observation;
            }
        };
        let mut execution = Execution::new(Rc::new(connection), case, budget, self, asked);
        self.set_faults(&case.faults, Phase::Run, execution.watch());
        if asked.has_log {
            self.vfs.machine().disk.start_log();
        }
        execution.note_view();
        program.run(case, &mut execution);
        observation.disk_log = self.vfs.machine().disk.take_log().map(Rc::new);
        let mut connection = execution.finish(&mut observation);
        self.clear_faults(&case.faults);
        // Closing rolls back what is not committed.
        if let Ok(open) = &connection
            && open.may_be_writing()
        {
            open.watch().note_rollback();
            observation.taint = open.watch().taint.get();
        }
        if !case.operations.is_empty() {
            if let Ok(before) = connection {
                observation.close = first_failure(observation.close, self.close(before));
            }
            // What the case left of memory is not for the check.
            process::reset_heap_limit();
            connection = self.open_to_check(case, budget);
        }
        observation.cut_short.extend(self.vfs.machine().disk.was_full().then_some(Limit::DiskBytes));
        let Ok(connection) = connection else {
            return observation;
        };

        if !observation.trace.hits.is_empty() {
            view::settle(&connection);
        }
        let has_end = asked.has_end && !observation.ended_early();
        let is_checked = asked.has_files
            && health::has_written(&observation.trace)
            && !matches!(start, Assessment::Damaged(_));
        if is_checked && observation.ended_early() {
            health::complete_schema(&connection);
        }
        if has_end || is_checked {
            let integrity = health::integrity(&connection, b"main");
            if is_checked {
                let lock_byte = case.config.lock_byte();
                observation.integrity =
                    health::all_problems(&connection, integrity.clone(), &case.files, lock_byte);
            }
            if has_end {
                observation.end = end::state(&connection, integrity.map(|checked| checked.problems));
            }
        }
        observation.close = first_failure(observation.close, self.close(connection));
        observation
    }

    /// Whether SQLite considers the case's database well-formed before anything runs on it.
    pub fn is_healthy(&self, case: &TestCase) -> bool {
        let exclusive = super::exclusive();
        self.is_healthy_to_sqlite(&exclusive, case, &Budget::UNLIMITED)
    }

    /// Whether both our own check and SQLite's consider a file of a case well-formed, as a database of its own.
    pub fn is_healthy_file(&self, case: &TestCase, name: &str, budget: &Budget) -> bool {
        let exclusive = super::exclusive();
        let mut alone = TestCase { config: case.config, ..TestCase::default() };
        let names = [FileName::main(), FileName::wal(), FileName::journal()];
        for (own, content) in names.into_iter().zip(case.files.database(name)) {
            content.into_iter().for_each(|content| _ = alone.files.insert(own.clone(), content.to_vec()));
        }
        let assessment = health::assess(&alone.files, MAIN_DB, alone.config.lock_byte());
        assessment == Assessment::Sound && self.is_healthy_to_sqlite(&exclusive, &alone, budget)
    }

    /// Like [`Executor::is_healthy`], with journal and WAL unchanged, on its own disk. What SQLite
    /// recovers from them is checked too.
    fn is_healthy_to_sqlite(&self, exclusive: &Exclusive, case: &TestCase, budget: &Budget) -> bool {
        self.prepare_machine(exclusive, &case.files, &case.config, budget);
        let expected = Connection::open(&self.vfs, MAIN_PATH).ok().and_then(|connection| {
            connection.know_plain_functions();
            let is_sound =
                health::integrity(&connection, b"main").is_some_and(|checked| checked.problems.is_empty());
            let expect = || health::widths(&connection).zip(health::partial_indexes(&connection));
            let expected = if is_sound { expect() } else { None };
            connection.close();
            expected
        });
        let machine = self.vfs.install(Machine::new(0));
        process::take_log();
        let image = machine.disk.content(MAIN_DB.as_bytes()).unwrap_or_default();
        expected.is_some_and(|(widths, indexes)| {
            damage::assess(image, case.config.lock_byte()) == Assessment::Sound
                && widths.iter().all(|width| health::has_width(image, width))
                && indexes.iter().all(|index| health::has_its_entries(image, index))
        })
    }
}

impl Engine for Executor {
    fn identity(&self) -> String {
        format!("SQLite {}, {}", super::version(), super::source_id())
    }

    fn on_statement(&mut self, observer: Box<StatementObserver>) {
        self.on_statement = Some(observer);
    }

    fn transcript(&mut self, case: &TestCase, budget: &Budget) -> Transcript {
        let observation = self.run_asking(case, &ScriptProgram, budget, Asked::TRANSCRIPT);
        let is_healthy = case.files.is_empty() || self.is_healthy_at_start(case, budget, &observation);
        Transcript::of(observation, is_healthy)
    }

    fn files_left(&mut self, case: &TestCase, budget: &Budget) -> Option<FileSet> {
        let exclusive = super::exclusive();
        self.build_rich_image(&exclusive, &case.config);
        self.prepare_machine(&exclusive, &case.files, &case.config, budget);
        let start = health::assess(&case.files, MAIN_DB, case.config.lock_byte());
        drop(self.observe(case, &ScriptProgram, budget, Asked::TRANSCRIPT, &start));
        Some(named_files(&self.vfs.install(Machine::new(0))))
    }
}

/// The result of closing all connections of a case: the first failure, if there is one.
fn first_failure(before: Option<Code>, code: Code) -> Option<Code> {
    before.filter(|&before| before != Code::OK).or(Some(code))
}

/// The machine's files whose names are allowed in a case.
fn named_files(machine: &Machine) -> FileSet {
    let mut files = FileSet::default();
    for (name, content) in machine.disk.named_files() {
        if let Some(name) = std::str::from_utf8(name).ok().and_then(FileName::new) {
            files.insert(name, content.to_vec());
        }
    }
    files
}

fn digests(machine: &Machine) -> Vec<FileDigest> {
    let digest = |(name, content): (&[u8], &[u8])| FileDigest {
        name: String::from_utf8_lossy(name).into_owned(),
        bytes: content.len(),
        digest: XxHash3_64::oneshot(content),
    };
    machine.disk.named_files().into_iter().map(digest).collect()
}
