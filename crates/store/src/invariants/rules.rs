//! The statements of the rules. Those that find give image, subject and detail, in that order.

use super::Rule;

/// The detail of an erasure that no worker has begun.
pub(super) const UNTOUCHED: &str = "untouched";

/// What finds and what mends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Statements {
    pub find: &'static str,
    pub mend: Option<Mend>,
}

/// What mends: a statement, and what it is given, in the order of its markers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mend {
    pub statement: &'static str,
    pub arguments: &'static [Argument],
}

/// What a statement that mends is given.
#[derive(Clone, Copy, Debug)]
pub(super) enum Argument {
    Image,
    Subject,
    Detail,
    Now,
}

use Argument::{Detail, Image, Now, Subject};

/// The statements of a rule.
pub(super) fn of(rule: Rule) -> Statements {
    match rule {
        Rule::UsageHasConsumer => USAGE_HAS_CONSUMER,
        Rule::InstanceHasUsage => INSTANCE_HAS_USAGE,
        Rule::SwitchHasUsage => SWITCH_HAS_USAGE,
        Rule::InstanceHasImage => INSTANCE_HAS_IMAGE,
        Rule::ShareHasImage => SHARE_HAS_IMAGE,
        Rule::TemplateHasImage => TEMPLATE_HAS_IMAGE,
        Rule::ReplicaHasHolder => REPLICA_HAS_HOLDER,
        Rule::ErasingHasNoHolder => ERASING_HAS_NO_HOLDER,
        Rule::DeletionIsComplete => DELETION_IS_COMPLETE,
        Rule::DeletedHasDeletion => DELETED_HAS_DELETION,
        Rule::LeaseIsCurrent => LEASE_IS_CURRENT,
        Rule::TaskIsDue => TASK_IS_DUE,
        Rule::MakingHasTask => MAKING_HAS_TASK,
        Rule::CreatingHasTask => CREATING_HAS_TASK,
        Rule::AvailableHasBytes => AVAILABLE_HAS_BYTES,
        Rule::SnapshotHasBytes => SNAPSHOT_HAS_BYTES,
        Rule::ExportHasImage => EXPORT_HAS_IMAGE,
        Rule::ExportIsDue => EXPORT_IS_DUE,
    }
}

const USAGE_HAS_CONSUMER: Statements = Statements {
    find: "SELECT u.image_id, u.consumer_id, u.origin FROM usages u WHERE NOT EXISTS (SELECT 1 \
          FROM instances n WHERE n.id = u.consumer_id AND (n.image_id = u.image_id \
          OR n.reinit_image_id = u.image_id)) ORDER BY u.image_id, u.consumer_id, u.origin LIMIT $1",
    mend: Some(Mend {
        statement: "DELETE FROM usages WHERE image_id = $1 AND consumer_id = $2 AND origin = $3 \
                    AND NOT EXISTS (SELECT 1 FROM instances n WHERE n.id = $2 AND (n.image_id = $1 \
                    OR n.reinit_image_id = $1))",
        arguments: &[Image, Subject, Detail],
    }),
};

const INSTANCE_HAS_USAGE: Statements = Statements {
    find: "SELECT n.image_id, n.id, n.kind FROM instances n JOIN images i ON i.id = n.image_id \
          AND i.deleted_ms IS NULL WHERE NOT EXISTS (SELECT 1 FROM usages u \
          WHERE u.image_id = n.image_id AND u.consumer_id = n.id) ORDER BY n.id LIMIT $1",
    mend: Some(Mend {
        statement: "INSERT INTO usages (image_id, consumer_id, origin, consumer_kind, consumer_owner, \
                    in_progress, since_ms) SELECT n.image_id, n.id, 'created', n.kind, n.owner, 0, \
                    n.created_ms FROM instances n JOIN images i ON i.id = n.image_id \
                    AND i.deleted_ms IS NULL WHERE n.id = $2 AND n.image_id = $1 \
                    AND NOT EXISTS (SELECT 1 FROM usages u WHERE u.image_id = $1 AND u.consumer_id = $2)",
        arguments: &[Image, Subject],
    }),
};

const SWITCH_HAS_USAGE: Statements = Statements {
    find: "SELECT n.reinit_image_id, n.id, n.kind FROM instances n JOIN images i \
          ON i.id = n.reinit_image_id AND i.deleted_ms IS NULL WHERE NOT EXISTS (SELECT 1 FROM usages u \
          WHERE u.image_id = n.reinit_image_id AND u.consumer_id = n.id AND u.in_progress = 1) \
          ORDER BY n.id LIMIT $1",
    mend: Some(Mend {
        statement: "INSERT INTO usages (image_id, consumer_id, origin, consumer_kind, consumer_owner, \
                    in_progress, since_ms) SELECT n.reinit_image_id, n.id, 'switched', n.kind, n.owner, \
                    1, n.created_ms FROM instances n JOIN images i ON i.id = n.reinit_image_id \
                    AND i.deleted_ms IS NULL WHERE n.id = $2 AND n.reinit_image_id = $1 \
                    AND NOT EXISTS (SELECT 1 FROM usages u WHERE u.image_id = $1 AND u.consumer_id = $2 \
                    AND u.in_progress = 1) \
                    ON CONFLICT (image_id, consumer_id, origin) DO UPDATE SET in_progress = 1",
        arguments: &[Image, Subject],
    }),
};

const INSTANCE_HAS_IMAGE: Statements = Statements {
    find: "SELECT used.image_id, used.id, used.kind FROM (SELECT image_id, id, kind FROM instances \
          UNION ALL SELECT reinit_image_id, id, kind FROM instances \
          WHERE reinit_image_id IS NOT NULL) used WHERE NOT EXISTS (SELECT 1 FROM images i \
          WHERE i.id = used.image_id AND i.deleted_ms IS NULL) ORDER BY used.id, used.image_id LIMIT $1",
    mend: None,
};

const SHARE_HAS_IMAGE: Statements = Statements {
    find: "SELECT s.image_id, s.account_id, '' FROM shares s WHERE NOT EXISTS (SELECT 1 FROM images i \
          WHERE i.id = s.image_id AND i.deleted_ms IS NULL) ORDER BY s.image_id, s.account_id LIMIT $1",
    mend: Some(Mend {
        statement: "DELETE FROM shares WHERE image_id = $1 AND account_id = $2 AND NOT EXISTS (SELECT 1 \
                    FROM images i WHERE i.id = $1 AND i.deleted_ms IS NULL)",
        arguments: &[Image, Subject],
    }),
};

const TEMPLATE_HAS_IMAGE: Statements = Statements {
    find: "SELECT t.image_id, t.id, '' FROM templates t WHERE t.image_id IS NOT NULL \
          AND NOT EXISTS (SELECT 1 FROM images i WHERE i.id = t.image_id AND i.deleted_ms IS NULL) \
          ORDER BY t.id LIMIT $1",
    mend: Some(Mend {
        statement: "DELETE FROM templates WHERE id = $2 AND image_id = $1 AND NOT EXISTS (SELECT 1 \
                    FROM images i WHERE i.id = $1 AND i.deleted_ms IS NULL)",
        arguments: &[Image, Subject],
    }),
};

const REPLICA_HAS_HOLDER: Statements = Statements {
    find: "SELECT r.holder_id, r.id, r.state FROM replicas r WHERE r.state NOT IN ('erasing', 'erased') \
          AND NOT EXISTS (SELECT 1 FROM images i WHERE i.id = r.holder_id AND i.deleted_ms IS NULL) \
          AND NOT EXISTS (SELECT 1 FROM snapshots s WHERE s.id = r.holder_id) ORDER BY r.id LIMIT $1",
    mend: Some(Mend {
        statement: "UPDATE replicas SET state = 'erasing', tries = 0, last_error = NULL, lease_owner = \
                    NULL, due_ms = CASE WHEN lease_until_ms > $3 THEN lease_until_ms ELSE (SELECT CASE \
                    WHEN MAX(d.erase_from_ms) > $3 THEN MAX(d.erase_from_ms) ELSE $3 END \
                    FROM deletions d WHERE d.image_id = $1 AND d.completed_ms IS NULL \
                    AND d.restored_ms IS NULL) END WHERE id = $2 AND holder_id = $1 \
                    AND state NOT IN ('erasing', 'erased') AND NOT EXISTS (SELECT 1 FROM images i \
                    WHERE i.id = $1 AND i.deleted_ms IS NULL) AND NOT EXISTS (SELECT 1 FROM snapshots s \
                    WHERE s.id = $1)",
        arguments: &[Image, Subject, Now],
    }),
};

const ERASING_HAS_NO_HOLDER: Statements = Statements {
    find: "SELECT r.holder_id, r.id, CASE WHEN r.tries = 0 THEN 'untouched' ELSE 'begun' END \
          FROM replicas r WHERE r.state = 'erasing' AND (EXISTS (SELECT 1 FROM images i \
          WHERE i.id = r.holder_id AND i.deleted_ms IS NULL) OR EXISTS (SELECT 1 FROM snapshots s \
          WHERE s.id = r.holder_id)) ORDER BY r.id LIMIT $1",
    mend: Some(Mend {
        statement: "UPDATE replicas SET state = CASE WHEN sha256 IS NULL THEN 'failed' ELSE 'available' \
                    END, tries = 1, due_ms = NULL WHERE id = $2 AND holder_id = $1 AND state = 'erasing' \
                    AND tries = 0 AND (EXISTS (SELECT 1 FROM images i WHERE i.id = $1 \
                    AND i.deleted_ms IS NULL) OR EXISTS (SELECT 1 FROM snapshots s WHERE s.id = $1))",
        arguments: &[Image, Subject],
    }),
};

const DELETION_IS_COMPLETE: Statements = Statements {
    find: "SELECT d.image_id, d.id, '' FROM deletions d WHERE d.completed_ms IS NULL \
          AND d.restored_ms IS NULL AND NOT EXISTS (SELECT 1 FROM replicas r \
          WHERE r.holder_id = d.image_id AND r.state <> 'erased') ORDER BY d.id LIMIT $1",
    mend: None,
};

const DELETED_HAS_DELETION: Statements = Statements {
    find: "SELECT i.id, i.id, '' FROM images i WHERE i.deleted_ms IS NOT NULL AND NOT EXISTS (SELECT 1 \
          FROM deletions d WHERE d.image_id = i.id AND d.restored_ms IS NULL) ORDER BY i.id LIMIT $1",
    mend: None,
};

const LEASE_IS_CURRENT: Statements = Statements {
    find: "SELECT r.holder_id, r.id, CAST(r.attempt AS TEXT) FROM replicas r \
          WHERE r.lease_owner IS NOT NULL AND r.lease_until_ms < $2 ORDER BY r.id LIMIT $1",
    mend: Some(Mend {
        statement: "UPDATE replicas SET lease_owner = NULL, lease_until_ms = NULL, due_ms = CASE WHEN \
                    state IN ('copying', 'erasing') THEN CAST($3 AS BIGINT) END WHERE id = $1 \
                    AND CAST(attempt AS TEXT) = $2 AND lease_owner IS NOT NULL AND lease_until_ms < $3",
        arguments: &[Subject, Detail, Now],
    }),
};

const TASK_IS_DUE: Statements = Statements {
    find: "SELECT r.holder_id, r.id, r.state FROM replicas r WHERE r.state IN ('copying', 'erasing') \
          AND r.due_ms IS NULL ORDER BY r.id LIMIT $1",
    mend: Some(Mend {
        statement: "UPDATE replicas SET due_ms = $2 WHERE id = $1 AND state IN ('copying', 'erasing') \
                    AND due_ms IS NULL",
        arguments: &[Subject, Now],
    }),
};

const MAKING_HAS_TASK: Statements = Statements {
    find: "SELECT i.id, i.id, '' FROM images i WHERE i.state = 'making' AND i.deleted_ms IS NULL \
          AND NOT EXISTS (SELECT 1 FROM replicas r WHERE r.holder_id = i.id AND r.state = 'copying') \
          ORDER BY i.id LIMIT $1",
    mend: Some(Mend {
        statement: "UPDATE images SET virtual_size_bytes = (SELECT MAX(r.virtual_size_bytes) \
                    FROM replicas r WHERE r.holder_id = images.id \
                    AND r.state = 'available'), stored_size_bytes = (SELECT MAX(r.size_bytes) \
                    FROM replicas r WHERE r.holder_id = images.id \
                    AND r.state = 'available'), stage = CASE WHEN EXISTS (SELECT 1 FROM replicas r \
                    WHERE r.holder_id = images.id AND r.state = 'available') THEN NULL ELSE stage END, \
                    reason = CASE WHEN EXISTS (SELECT 1 FROM replicas r WHERE r.holder_id = images.id \
                    AND r.state = 'available') THEN NULL ELSE 'nothing was making it any more' END, \
                    state = CASE WHEN EXISTS (SELECT 1 FROM replicas r WHERE r.holder_id = images.id \
                    AND r.state = 'available') THEN 'available' ELSE 'failed' END WHERE id = $1 \
                    AND state = 'making' AND deleted_ms IS NULL AND NOT EXISTS (SELECT 1 FROM replicas r \
                    WHERE r.holder_id = images.id AND r.state = 'copying')",
        arguments: &[Image],
    }),
};

const CREATING_HAS_TASK: Statements = Statements {
    find: "SELECT s.id, s.id, '' FROM snapshots s WHERE s.state = 'creating' AND NOT EXISTS (SELECT 1 \
          FROM replicas r WHERE r.holder_id = s.id AND r.state = 'copying') ORDER BY s.id LIMIT $1",
    mend: Some(Mend {
        statement: "UPDATE snapshots SET state = CASE WHEN EXISTS (SELECT 1 FROM replicas r \
                    WHERE r.holder_id = snapshots.id AND r.state = 'available') THEN 'available' ELSE \
                    'error' END WHERE id = $1 AND state = 'creating' AND NOT EXISTS (SELECT 1 \
                    FROM replicas r WHERE r.holder_id = snapshots.id AND r.state = 'copying')",
        arguments: &[Image],
    }),
};

const AVAILABLE_HAS_BYTES: Statements = Statements {
    find: "SELECT i.id, i.id, '' FROM images i WHERE i.deleted_ms IS NULL AND i.state = 'available' \
          AND NOT EXISTS (SELECT 1 FROM replicas r WHERE r.holder_id = i.id AND r.state = 'available') \
          ORDER BY i.id LIMIT $1",
    mend: Some(Mend {
        statement: "UPDATE images SET state = 'unavailable' WHERE id = $1 AND deleted_ms IS NULL \
                    AND state = 'available' AND NOT EXISTS (SELECT 1 FROM replicas r \
                    WHERE r.holder_id = images.id AND r.state = 'available')",
        arguments: &[Image],
    }),
};

const SNAPSHOT_HAS_BYTES: Statements = Statements {
    find: "SELECT s.id, s.id, '' FROM snapshots s WHERE s.state = 'available' AND NOT EXISTS (SELECT 1 \
          FROM replicas r WHERE r.holder_id = s.id AND r.state = 'available') ORDER BY s.id LIMIT $1",
    mend: Some(Mend {
        statement: "UPDATE snapshots SET state = 'error' WHERE id = $1 AND state = 'available' \
                    AND NOT EXISTS (SELECT 1 FROM replicas r WHERE r.holder_id = snapshots.id \
                    AND r.state = 'available')",
        arguments: &[Image],
    }),
};

const EXPORT_HAS_IMAGE: Statements = Statements {
    find: "SELECT e.image_id, e.image_id, e.bucket FROM exports e WHERE e.state = 'exporting' \
          AND NOT EXISTS (SELECT 1 FROM images i WHERE i.id = e.image_id AND i.deleted_ms IS NULL) \
          ORDER BY e.image_id LIMIT $1",
    mend: Some(Mend {
        statement: "UPDATE exports SET state = 'failed', last_error = 'the image is deleted', due_ms = NULL, \
                    lease_owner = NULL, lease_until_ms = NULL WHERE image_id = $1 AND state = 'exporting' \
                    AND NOT EXISTS (SELECT 1 FROM images i WHERE i.id = $1 AND i.deleted_ms IS NULL)",
        arguments: &[Image],
    }),
};

const EXPORT_IS_DUE: Statements = Statements {
    find: "SELECT e.image_id, e.image_id, e.bucket FROM exports e WHERE e.state = 'exporting' \
          AND (e.due_ms IS NULL OR (e.lease_owner IS NOT NULL AND e.lease_until_ms < $2)) \
          ORDER BY e.image_id LIMIT $1",
    mend: Some(Mend {
        statement: "UPDATE exports SET lease_owner = NULL, lease_until_ms = NULL, due_ms = $2 \
                    WHERE image_id = $1 AND state = 'exporting' \
                    AND (due_ms IS NULL OR (lease_owner IS NOT NULL AND lease_until_ms < $2))",
        arguments: &[Image, Now],
    }),
};
