//! What is durable, read beside the program: by statements and on a connection of its own.

use std::path::Path;
use std::sync::LazyLock;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, params_from_iter};

/// What must hold, by the numbers of the invariants in ARCHITECTURE.md, and what else can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// 1: nothing live points at a deleted image.
    Reference,
    /// 2: what was acknowledged is there, and stays.
    Acknowledged,
    /// 2: what was refused changed nothing; what was neither is wholly done or wholly not.
    Whole,
    /// 3: objects belong to replicas, and available replicas have their bytes.
    Bytes,
    /// 4: bytes that are needed are there; those of the deleted are gone in the end, and not before.
    Erasure,
    /// 5: nothing succeeds twice.
    Once,
    /// Work comes to an end.
    Stuck,
    /// The check that operators have agrees.
    Check,
    /// The program does not panic.
    Panic,
}

/// Something that must not be.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Against what it is.
    pub rule: Rule,
    /// What was seen.
    pub text: String,
}

impl Violation {
    pub fn new(rule: Rule, text: impl Into<String>) -> Self {
        Self { rule, text: text.into() }
    }
}

/// What holds at every moment; each statement gives what is against it.
const ALWAYS: &[(Rule, &str)] = &[
    (
        Rule::Reference,
        "SELECT 'a use by', u.consumer_id, i.id FROM usages u JOIN images i ON i.id = u.image_id \
         WHERE i.deleted_ms IS NOT NULL",
    ),
    (
        Rule::Reference,
        "SELECT 'runs a deleted image:', n.id, i.id FROM instances n \
         JOIN images i ON i.id IN (n.image_id, n.reinit_image_id) WHERE i.deleted_ms IS NOT NULL",
    ),
    (
        Rule::Reference,
        "SELECT 'a share with', s.account_id, i.id FROM shares s JOIN images i ON i.id = s.image_id \
         WHERE i.deleted_ms IS NOT NULL",
    ),
    (
        Rule::Reference,
        "SELECT 'a template', t.id, i.id FROM templates t JOIN images i ON i.id = t.image_id \
         WHERE i.deleted_ms IS NOT NULL",
    ),
    (
        Rule::Reference,
        "SELECT 'a published child', c.id, i.id FROM images c JOIN images i ON i.id = c.parent_id \
         WHERE c.published_ms IS NOT NULL AND c.deleted_ms IS NULL AND i.deleted_ms IS NOT NULL",
    ),
    (
        Rule::Reference,
        "SELECT 'a live replica', r.id, i.id FROM replicas r JOIN images i ON i.id = r.holder_id \
         WHERE i.deleted_ms IS NOT NULL AND r.state NOT IN ('erasing', 'erased')",
    ),
    (
        Rule::Reference,
        "SELECT 'a running export', i.id FROM exports e JOIN images i ON i.id = e.image_id \
         WHERE e.state = 'exporting' AND i.deleted_ms IS NOT NULL",
    ),
    (
        Rule::Reference,
        "SELECT 'a live replica of no snapshot', r.id FROM replicas r WHERE r.holder_kind = 'snapshot' \
         AND r.state NOT IN ('erasing', 'erased') AND NOT EXISTS (SELECT 1 FROM snapshots s WHERE s.id = r.holder_id)",
    ),
    (
        Rule::Reference,
        "SELECT 'a use without its consumer', u.consumer_id, u.image_id FROM usages u \
         LEFT JOIN instances n ON n.id = u.consumer_id \
         WHERE n.id IS NULL OR u.image_id NOT IN (n.image_id, COALESCE(n.reinit_image_id, n.image_id))",
    ),
    (
        Rule::Reference,
        "SELECT 'a consumer without its use', n.id FROM instances n \
         WHERE NOT EXISTS (SELECT 1 FROM usages u WHERE u.consumer_id = n.id AND u.image_id = n.image_id) \
         OR (n.reinit_image_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM usages u \
         WHERE u.consumer_id = n.id AND u.image_id = n.reinit_image_id AND u.in_progress = 1))",
    ),
    (
        Rule::Whole,
        "SELECT 'deleted without a deletion', i.id FROM images i WHERE i.deleted_ms IS NOT NULL \
         AND NOT EXISTS (SELECT 1 FROM deletions d WHERE d.image_id = i.id AND d.restored_ms IS NULL)",
    ),
    (
        Rule::Whole,
        "SELECT 'a deletion of a live image', d.id, i.id FROM deletions d JOIN images i ON i.id = d.image_id \
         WHERE d.restored_ms IS NULL AND i.deleted_ms IS NULL",
    ),
    (
        Rule::Erasure,
        "SELECT 'a live image is erased:', r.id, i.id FROM replicas r JOIN images i ON i.id = r.holder_id \
         WHERE r.state IN ('erasing', 'erased') AND i.deleted_ms IS NULL",
    ),
    (
        Rule::Erasure,
        "SELECT 'an available image without bytes', i.id FROM images i \
         WHERE i.state = 'available' AND i.deleted_ms IS NULL AND NOT EXISTS \
         (SELECT 1 FROM replicas r WHERE r.holder_id = i.id AND r.state = 'available')",
    ),
    (
        Rule::Erasure,
        "SELECT 'a complete deletion with bytes', d.id, r.id FROM deletions d \
         JOIN replicas r ON r.holder_id = d.image_id \
         WHERE d.completed_ms IS NOT NULL AND d.restored_ms IS NULL AND r.state <> 'erased'",
    ),
    (
        Rule::Once,
        "SELECT 'deletions of', d.image_id, COUNT(*) FROM deletions d WHERE d.restored_ms IS NULL \
         GROUP BY d.image_id HAVING COUNT(*) > 1",
    ),
];

/// What holds once all work is done.
const AT_REST: &[(Rule, &str)] = &[
    (
        Rule::Stuck,
        "SELECT 'an image in the making', id FROM images WHERE state = 'making' AND deleted_ms IS NULL",
    ),
    (Rule::Stuck, "SELECT 'a snapshot in the making', id FROM snapshots WHERE state = 'creating'"),
    (Rule::Stuck, "SELECT 'a switch in progress', id FROM instances WHERE reinit_image_id IS NOT NULL"),
    (Rule::Stuck, "SELECT 'a running export', image_id FROM exports WHERE state = 'exporting'"),
    (
        Rule::Stuck,
        "SELECT 'a held replica', id, state, lease_owner FROM replicas WHERE lease_owner IS NOT NULL",
    ),
    (
        Rule::Erasure,
        "SELECT 'a deletion that is not complete', id, image_id FROM deletions \
         WHERE completed_ms IS NULL AND restored_ms IS NULL",
    ),
    (
        Rule::Erasure,
        "SELECT 'bytes of a deleted image', r.id, r.state FROM replicas r JOIN images i ON i.id = r.holder_id \
         WHERE i.deleted_ms IS NOT NULL AND r.state <> 'erased'",
    ),
];

/// Work that is still to be done, in any region.
const WORK: &str = "SELECT 'replica', id, state, due_ms FROM replicas WHERE due_ms IS NOT NULL \
     UNION ALL SELECT 'export', image_id, state, due_ms FROM exports WHERE due_ms IS NOT NULL \
     UNION ALL SELECT 'instance', id, '', due_ms FROM instances WHERE due_ms IS NOT NULL ORDER BY 2";

/// The tables that tell of what requests have done, but for the nonces.
const TABLES: &[&str] = &[
    "SELECT * FROM images ORDER BY id",
    "SELECT * FROM versions ORDER BY id",
    "SELECT * FROM templates ORDER BY id",
    "SELECT * FROM bundles ORDER BY id",
    "SELECT * FROM shares ORDER BY image_id, account_id",
    "SELECT * FROM usages ORDER BY image_id, consumer_id, origin",
    "SELECT * FROM replicas ORDER BY id",
    "SELECT * FROM exports ORDER BY image_id",
    "SELECT * FROM deletions ORDER BY id",
    "SELECT * FROM instances ORDER BY id",
    "SELECT * FROM disks ORDER BY id",
    "SELECT * FROM tags ORDER BY resource_kind, resource_id, tag_key",
    "SELECT * FROM snapshots ORDER BY id",
];

/// A replica, as far as the fate of an object depends on it.
#[derive(Clone, Debug)]
pub struct ReplicaRow {
    pub state: String,
    pub key: String,
    pub sha256: String,
    pub lease_owner: String,
    pub lease_until_ms: i64,
    pub holder: String,
}

/// A connection that only reads.
#[derive(Debug)]
pub struct Ledger(Connection);

impl Ledger {
    pub fn open(path: &Path) -> Self {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).expect("the database is there");
        connection.set_prepared_statement_cache_capacity(128);
        Self(connection)
    }

    /// The rows of a statement, every value as text; nulls are empty.
    pub fn rows(&self, sql: &str, values: &[&str]) -> Vec<Vec<String>> {
        let mut statement = self.0.prepare_cached(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        let columns = statement.column_count();
        let text = |value: ValueRef<'_>| match value {
            ValueRef::Null => String::new(),
            ValueRef::Integer(number) => number.to_string(),
            ValueRef::Text(text) | ValueRef::Blob(text) => String::from_utf8_lossy(text).into_owned(),
            ValueRef::Real(number) => number.to_string(),
        };
        let rows = statement.query_map(params_from_iter(values), |row| {
            (0..columns).map(|column| row.get_ref(column).map(text)).collect::<rusqlite::Result<Vec<_>>>()
        });
        let rows = rows.and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>);
        rows.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The first columns of the rows.
    pub fn column(&self, sql: &str, values: &[&str]) -> Vec<String> {
        self.rows(sql, values).into_iter().filter_map(|row| row.into_iter().next()).collect()
    }

    /// Whether the statement has a row.
    pub fn has(&self, sql: &str, values: &[&str]) -> bool {
        let mut statement = self.0.prepare_cached(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        statement.exists(params_from_iter(values)).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// What is against the rules that hold at every moment.
    pub fn broken(&self) -> Option<Violation> {
        static ANY: LazyLock<String> = LazyLock::new(|| any_of(ALWAYS));
        if self.has(&ANY, &[]) { self.first_of(ALWAYS) } else { None }
    }

    /// What is against the rules that hold once all work is done.
    pub fn broken_at_rest(&self) -> Option<Violation> {
        self.first_of(AT_REST)
    }

    fn first_of(&self, rules: &[(Rule, &str)]) -> Option<Violation> {
        rules.iter().find_map(|(rule, sql)| {
            let rows = self.rows(sql, &[]);
            Some(Violation::new(*rule, rows.first()?.join(" ")))
        })
    }

    /// Work that is still to be done: a few words on each.
    pub fn work(&self) -> Vec<String> {
        self.rows(WORK, &[]).into_iter().map(|row| row.join(" ")).collect()
    }

    /// The work that is due by now: its kind, and its region if it has one.
    pub fn due(&self, now_ms: i64) -> Vec<(String, String)> {
        let sql = "SELECT DISTINCT state, region FROM replicas WHERE due_ms <= CAST($1 AS INTEGER) \
                   UNION ALL SELECT DISTINCT state, '' FROM exports WHERE due_ms <= CAST($1 AS INTEGER) \
                   UNION ALL SELECT DISTINCT 'switching', '' FROM instances WHERE due_ms <= CAST($1 AS INTEGER) \
                   ORDER BY 1, 2";
        self.rows(sql, &[&now_ms.to_string()]).into_iter().map(pair).collect()
    }

    /// Everything that requests can change, row by row.
    pub fn dump(&self) -> Vec<String> {
        // One transaction, because to begin one costs more than to read such a table.
        self.run("BEGIN");
        let rows = TABLES.iter().flat_map(|sql| self.rows(sql, &[])).map(|row| row.join("|")).collect();
        self.run("COMMIT");
        rows
    }

    fn run(&self, sql: &str) {
        let run = self.0.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        run.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// The replica that an object's key belongs to.
    pub fn replica_of(&self, key: &str) -> Option<ReplicaRow> {
        let (id, _) = key.rsplit_once('.')?;
        let sql = "SELECT state, object_key, sha256, lease_owner, lease_until_ms, holder_id \
                   FROM replicas WHERE id = $1";
        let [state, key, sha256, lease_owner, until, holder]: [String; 6] =
            self.rows(sql, &[id]).into_iter().next()?.try_into().ok()?;
        let lease_until_ms = until.parse().unwrap_or(0);
        Some(ReplicaRow { state, key, sha256, lease_owner, lease_until_ms, holder })
    }

    /// Whether the statement is one that the database takes.
    pub fn accepts(&self, sql: &str) -> bool {
        self.0.prepare(sql).is_ok()
    }
}

/// One statement that has a row if any of the rules' statements has one: that is asked after every commit.
fn any_of(rules: &[(Rule, &str)]) -> String {
    let each: Vec<String> = rules.iter().map(|(_, sql)| format!("SELECT 1 WHERE EXISTS ({sql})")).collect();
    each.join(" UNION ALL ")
}

fn pair(row: Vec<String>) -> (String, String) {
    let mut row = row.into_iter();
    (row.next().unwrap_or_default(), row.next().unwrap_or_default())
}
