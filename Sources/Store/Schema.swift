import GRDB

/// The numbered migrations of the database file, oldest first; each runs in one transaction.
///
/// Times are milliseconds since the Unix epoch, names are text, bodies are blobs.
enum Schema {
    static let migrator: DatabaseMigrator = {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 the flow") { db in
            for statement in people + makers + field + broker {
                try db.execute(sql: statement)
            }
        }
        migrator.registerMigration("2 faces") { db in
            for statement in faces {
                try db.execute(sql: statement)
            }
        }
        migrator.registerMigration("3 fleet") { db in
            for statement in fleet {
                try db.execute(sql: statement)
            }
        }
        migrator.registerMigration("4 broker") { db in
            for statement in wholeBroker {
                try db.execute(sql: statement)
            }
        }
        migrator.registerMigration("5 console") { db in
            for statement in console {
                try db.execute(sql: statement)
            }
        }
        migrator.registerMigration("6 jobs") { db in
            for statement in jobs {
                try db.execute(sql: statement)
            }
        }
        migrator.registerMigration("7 queues on disk") { db in
            // What has expired in a queue that nobody reads is found without reading it.
            try db.execute(sql: "CREATE INDEX queue_by_expiry ON queue(client, expires) WHERE expires IS NOT NULL")
        }
        return migrator
    }()

    private static let people = [
        """
        CREATE TABLE users (
            uid TEXT PRIMARY KEY, role TEXT NOT NULL, password TEXT, device_id TEXT,
            firmware_version TEXT, phrase_type TEXT, created INTEGER NOT NULL) WITHOUT ROWID
        """,
        """
        CREATE TABLE credentials (
            hash BLOB PRIMARY KEY, kind TEXT NOT NULL, uid TEXT REFERENCES users ON DELETE CASCADE,
            role TEXT NOT NULL, label TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER) WITHOUT ROWID
        """,
    ]

    private static let makers = [
        "CREATE TABLE products (slug TEXT PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, created INTEGER NOT NULL) WITHOUT ROWID",
        """
        CREATE TABLE hardware (
            product TEXT NOT NULL REFERENCES products, model TEXT NOT NULL, PRIMARY KEY (product, model)) WITHOUT ROWID
        """,
        """
        CREATE TABLE releases (
            product TEXT NOT NULL REFERENCES products, version TEXT NOT NULL, state TEXT NOT NULL, notes TEXT NOT NULL,
            reason TEXT, created INTEGER NOT NULL, PRIMARY KEY (product, version)) WITHOUT ROWID
        """,
        """
        CREATE TABLE artifacts (
            product TEXT NOT NULL, version TEXT NOT NULL, hardware TEXT NOT NULL, sha256 BLOB NOT NULL, size INTEGER NOT NULL,
            format TEXT NOT NULL, created INTEGER NOT NULL, PRIMARY KEY (product, version, hardware),
            FOREIGN KEY (product, version) REFERENCES releases) WITHOUT ROWID
        """,
    ]

    private static let field = [
        """
        CREATE TABLE devices (
            thing TEXT PRIMARY KEY, product TEXT REFERENCES products, hardware TEXT, owner TEXT REFERENCES users ON DELETE SET NULL,
            token_hash BLOB, revoked INTEGER NOT NULL DEFAULT 0, connected INTEGER NOT NULL DEFAULT 0, address TEXT,
            last_seen INTEGER, reported_version TEXT, created INTEGER NOT NULL) WITHOUT ROWID
        """,
        "CREATE INDEX devices_by_owner ON devices(owner)",
        "CREATE INDEX devices_by_product ON devices(product, hardware)",
        """
        CREATE TABLE shadows (
            thing TEXT NOT NULL, name TEXT NOT NULL, document BLOB NOT NULL, metadata BLOB NOT NULL, version INTEGER NOT NULL,
            deleted INTEGER NOT NULL, PRIMARY KEY (thing, name)) WITHOUT ROWID
        """,
        """
        CREATE TABLE offers (
            thing TEXT NOT NULL REFERENCES devices ON DELETE CASCADE, version TEXT NOT NULL, state TEXT NOT NULL,
            created INTEGER NOT NULL, deadline INTEGER NOT NULL, ended INTEGER, PRIMARY KEY (thing, version)) WITHOUT ROWID
        """,
        """
        CREATE TABLE updates (
            id INTEGER PRIMARY KEY AUTOINCREMENT, thing TEXT NOT NULL REFERENCES devices ON DELETE CASCADE,
            version TEXT NOT NULL, from_version TEXT, phase TEXT NOT NULL, percent INTEGER NOT NULL, attempts INTEGER NOT NULL,
            reports INTEGER NOT NULL, reason TEXT, created INTEGER NOT NULL, changed INTEGER NOT NULL, deadline INTEGER NOT NULL,
            ended INTEGER)
        """,
        "CREATE UNIQUE INDEX open_update ON updates(thing) WHERE ended IS NULL",
        "CREATE INDEX updates_by_thing ON updates(thing, id)",
        """
        CREATE TABLE events (
            id INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, at INTEGER NOT NULL)
        """,
        "CREATE INDEX events_by_user ON events(uid, id)",
        """
        CREATE TABLE logs (
            id INTEGER PRIMARY KEY AUTOINCREMENT, thing TEXT NOT NULL, received INTEGER NOT NULL, level TEXT NOT NULL,
            line TEXT NOT NULL)
        """,
        "CREATE INDEX logs_by_thing ON logs(thing, id)",
        "CREATE INDEX logs_by_age ON logs(received)",
    ]

    private static let broker = [
        "CREATE TABLE retained (topic BLOB PRIMARY KEY, payload BLOB NOT NULL, qos INTEGER NOT NULL, properties BLOB NOT NULL, stored INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE TABLE sessions (client BLOB PRIMARY KEY, principal TEXT NOT NULL, expiry INTEGER NOT NULL, ended INTEGER) WITHOUT ROWID",
        """
        CREATE TABLE subscriptions (
            client BLOB NOT NULL REFERENCES sessions ON DELETE CASCADE, filter BLOB NOT NULL, options INTEGER NOT NULL,
            PRIMARY KEY (client, filter)) WITHOUT ROWID
        """,
        """
        CREATE TABLE queue (
            client BLOB NOT NULL REFERENCES sessions ON DELETE CASCADE, sequence INTEGER NOT NULL, packet INTEGER NOT NULL,
            topic BLOB NOT NULL, payload BLOB NOT NULL, properties BLOB NOT NULL, retain INTEGER NOT NULL, expires INTEGER,
            PRIMARY KEY (client, sequence)) WITHOUT ROWID
        """,
    ]

    /// What the owner's page shows and asks: names, pictures, answers to offers, the steps of an update.
    private static let faces = [
        "ALTER TABLE users ADD COLUMN time_zone TEXT",
        "ALTER TABLE products ADD COLUMN support_until TEXT",
        "ALTER TABLE products ADD COLUMN picture TEXT NOT NULL DEFAULT 'device'",
        "ALTER TABLE products ADD COLUMN minutes INTEGER",
        "ALTER TABLE products ADD COLUMN off_seconds INTEGER",
        "ALTER TABLE products ADD COLUMN settings TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE devices ADD COLUMN name TEXT",
        // An answered offer waits until a time, then it is asked again or carried out.
        "ALTER TABLE offers ADD COLUMN until INTEGER",
        "ALTER TABLE offers ADD COLUMN answer TEXT",
        "CREATE INDEX offers_waiting ON offers(until) WHERE ended IS NULL AND until IS NOT NULL",
        "ALTER TABLE updates ADD COLUMN dismissed INTEGER",
        """
        CREATE TABLE update_steps (
            update_id INTEGER NOT NULL REFERENCES updates ON DELETE CASCADE, number INTEGER NOT NULL, at INTEGER NOT NULL,
            phase TEXT NOT NULL, attempt INTEGER NOT NULL, reason TEXT, PRIMARY KEY (update_id, number)) WITHOUT ROWID
        """,
    ]

    /// What lists of many devices are filtered and sorted by; `phase` is that of a device's newest update.
    private static let fleet = [
        "ALTER TABLE devices ADD COLUMN phase TEXT",
        "UPDATE devices SET phase = (SELECT phase FROM updates u WHERE u.thing = devices.thing ORDER BY id DESC LIMIT 1)",
        "DROP INDEX devices_by_product",
        "CREATE INDEX devices_by_product ON devices(product, hardware, reported_version, phase, revoked)",
        "CREATE INDEX devices_by_seen ON devices(COALESCE(last_seen, 0), thing)",
        "CREATE INDEX devices_by_phase ON devices(phase, thing)",
    ]

    /// QoS 2, subscription identifiers, shared subscriptions, wills that wait, expiry of retained messages.
    ///
    /// Packet identifiers in the queue follow from the sequence; subscription identifiers are numbers with commas.
    private static let wholeBroker = [
        "ALTER TABLE retained ADD COLUMN expires INTEGER",
        "ALTER TABLE subscriptions ADD COLUMN identifier INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE queue DROP COLUMN packet",
        "ALTER TABLE queue ADD COLUMN qos INTEGER NOT NULL DEFAULT 1",
        "ALTER TABLE queue ADD COLUMN released INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE queue ADD COLUMN identifiers TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE queue ADD COLUMN share BLOB NOT NULL DEFAULT x''",
        """
        CREATE TABLE received (
            client BLOB NOT NULL REFERENCES sessions ON DELETE CASCADE, packet INTEGER NOT NULL,
            PRIMARY KEY (client, packet)) WITHOUT ROWID
        """,
        """
        CREATE TABLE wills (
            client BLOB PRIMARY KEY REFERENCES sessions ON DELETE CASCADE, topic BLOB NOT NULL, payload BLOB NOT NULL,
            qos INTEGER NOT NULL, retain INTEGER NOT NULL, properties BLOB NOT NULL, expiry INTEGER,
            delay INTEGER NOT NULL, due INTEGER) WITHOUT ROWID
        """,
    ]

    /// What the console tells of the past: who came and went, what happened, when a release became active.
    private static let console = [
        """
        CREATE TABLE presence (
            id INTEGER PRIMARY KEY AUTOINCREMENT, thing TEXT NOT NULL, at INTEGER NOT NULL, connected INTEGER NOT NULL,
            address TEXT NOT NULL, reason TEXT)
        """,
        "CREATE INDEX presence_by_thing ON presence(thing, id)",
        """
        CREATE TABLE activity (
            id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, kind TEXT NOT NULL, thing TEXT, product TEXT,
            version TEXT, detail TEXT)
        """,
        "ALTER TABLE releases ADD COLUMN published INTEGER",
        "UPDATE releases SET published = created",
        "ALTER TABLE credentials ADD COLUMN used INTEGER",
        "CREATE INDEX devices_by_presence ON devices(connected, last_seen)",
    ]

    /// AWS IoT's registry and jobs.
    ///
    /// Their times are seconds since the Unix epoch, as on the wire. A device is a thing; counts of executions are eight numbers with commas, in the order of `ExecutionStatus`.
    private static let jobs = [
        "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        "ALTER TABLE products ADD COLUMN delivery TEXT NOT NULL DEFAULT 'shadow'",
        "ALTER TABLE devices ADD COLUMN thing_id TEXT",
        """
        UPDATE devices SET thing_id = lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-' || hex(randomblob(2))
            || '-' || hex(randomblob(2)) || '-' || hex(randomblob(6)))
        """,
        // Whether it was given a credential, or is a thing of the registry alone.
        "ALTER TABLE devices ADD COLUMN enrolled INTEGER NOT NULL DEFAULT 1",
        "ALTER TABLE devices ADD COLUMN thing_type TEXT",
        "ALTER TABLE devices ADD COLUMN thing_attributes TEXT NOT NULL DEFAULT '{}'",
        "ALTER TABLE devices ADD COLUMN thing_version INTEGER NOT NULL DEFAULT 1",
        """
        CREATE TABLE thing_groups (
            name TEXT PRIMARY KEY, id TEXT NOT NULL, parent TEXT REFERENCES thing_groups, description TEXT,
            attributes TEXT NOT NULL, version INTEGER NOT NULL, created INTEGER NOT NULL) WITHOUT ROWID
        """,
        "ALTER TABLE credentials ADD COLUMN access_key TEXT",
        "ALTER TABLE credentials ADD COLUMN secret TEXT",
        "CREATE UNIQUE INDEX credentials_by_access_key ON credentials(access_key) WHERE access_key IS NOT NULL",
        "CREATE INDEX thing_groups_by_parent ON thing_groups(parent)",
        """
        CREATE TABLE group_members (
            thing TEXT NOT NULL REFERENCES devices ON DELETE CASCADE,
            name TEXT NOT NULL REFERENCES thing_groups ON DELETE CASCADE, PRIMARY KEY (thing, name)) WITHOUT ROWID
        """,
        "CREATE INDEX group_members_by_group ON group_members(name, thing)",
        """
        CREATE TABLE jobs (
            id TEXT PRIMARY KEY, document BLOB NOT NULL, document_source TEXT, selection TEXT NOT NULL,
            targets TEXT NOT NULL, configuration BLOB NOT NULL, created INTEGER NOT NULL, status TEXT NOT NULL,
            updated INTEGER NOT NULL, completed INTEGER, force_canceled INTEGER NOT NULL, reason_code TEXT, comment TEXT,
            things TEXT NOT NULL, finished TEXT NOT NULL, executions INTEGER NOT NULL, waiting INTEGER NOT NULL,
            notified INTEGER NOT NULL, rollout_stopped INTEGER NOT NULL, window_last INTEGER,
            window_queued INTEGER NOT NULL, window_rate INTEGER NOT NULL, deadline INTEGER) WITHOUT ROWID
        """,
        "CREATE INDEX jobs_by_deadline ON jobs(deadline) WHERE deadline IS NOT NULL",
        "CREATE INDEX jobs_continuous ON jobs(status) WHERE selection = 'CONTINUOUS'",
        // Targets that a rollout has not reached.
        "CREATE TABLE job_waiting (job TEXT NOT NULL, thing TEXT NOT NULL, PRIMARY KEY (job, thing)) WITHOUT ROWID",
        "CREATE INDEX job_waiting_by_thing ON job_waiting(thing)",
        """
        CREATE TABLE job_executions (
            thing TEXT NOT NULL, job TEXT NOT NULL, number INTEGER NOT NULL, place INTEGER NOT NULL,
            queued INTEGER NOT NULL, retries_failed INTEGER NOT NULL, retries_timed_out INTEGER NOT NULL,
            status TEXT NOT NULL, details BLOB NOT NULL, started INTEGER, updated INTEGER NOT NULL,
            version INTEGER NOT NULL, force_canceled INTEGER NOT NULL, in_progress_end INTEGER, step_end INTEGER,
            deadline INTEGER, PRIMARY KEY (thing, job, number)) WITHOUT ROWID
        """,
        "CREATE INDEX job_executions_by_job ON job_executions(job, thing, number)",
        "CREATE INDEX job_executions_by_status ON job_executions(job, status, thing)",
        "CREATE INDEX job_executions_pending ON job_executions(thing) WHERE status IN ('QUEUED', 'IN_PROGRESS')",
        "CREATE INDEX job_executions_by_deadline ON job_executions(deadline) WHERE deadline IS NOT NULL",
    ]
}
