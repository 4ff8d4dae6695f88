CREATE TABLE installation (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE stores (
    region TEXT PRIMARY KEY,
    token TEXT NOT NULL
);

CREATE TABLE images (
    id TEXT PRIMARY KEY,
    product TEXT NOT NULL,
    owner TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    stage TEXT,
    reason TEXT,
    name TEXT NOT NULL,
    architecture TEXT NOT NULL,
    compute_type TEXT NOT NULL,
    platform TEXT NOT NULL,
    os_type TEXT NOT NULL,
    os_version TEXT NOT NULL,
    region TEXT NOT NULL,
    virtual_size_bytes BIGINT,
    stored_size_bytes BIGINT,
    source_instance TEXT,
    source_snapshot TEXT,
    product_type TEXT NOT NULL,
    details TEXT NOT NULL,
    parent_id TEXT,
    base_id TEXT,
    published_ms BIGINT,
    created_ms BIGINT NOT NULL,
    modified_ms BIGINT NOT NULL,
    deleted_ms BIGINT
);
CREATE INDEX images_listed ON images (owner, product, created_ms DESC, id, state, published_ms) WHERE deleted_ms IS NULL;
CREATE INDEX images_published ON images (product, id) WHERE published_ms IS NOT NULL;
CREATE INDEX images_published_by_parent ON images (parent_id) WHERE published_ms IS NOT NULL;

CREATE TABLE versions (
    id TEXT PRIMARY KEY,
    image_id TEXT NOT NULL,
    name TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);
CREATE INDEX versions_by_image ON versions (image_id, id);

CREATE TABLE templates (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    image_id TEXT,
    name TEXT NOT NULL,
    details TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    modified_ms BIGINT NOT NULL
);
CREATE INDEX templates_by_owner ON templates (owner, id);
CREATE INDEX templates_by_image ON templates (image_id) WHERE image_id IS NOT NULL;

CREATE TABLE bundles (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    image_id TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    details TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);
CREATE INDEX bundles_by_owner ON bundles (owner, id);
CREATE INDEX bundles_by_image ON bundles (image_id);

CREATE TABLE shares (
    image_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    since_ms BIGINT NOT NULL,
    PRIMARY KEY (image_id, account_id)
);
CREATE INDEX shares_by_account ON shares (account_id, image_id);

CREATE TABLE usages (
    image_id TEXT NOT NULL,
    consumer_id TEXT NOT NULL,
    origin TEXT NOT NULL,
    consumer_kind TEXT NOT NULL,
    consumer_owner TEXT NOT NULL,
    in_progress BIGINT NOT NULL,
    since_ms BIGINT NOT NULL,
    PRIMARY KEY (image_id, consumer_id, origin)
);
CREATE INDEX usages_by_consumer ON usages (consumer_id);

CREATE TABLE replicas (
    id TEXT PRIMARY KEY,
    holder_kind TEXT NOT NULL,
    holder_id TEXT NOT NULL,
    version_id TEXT,
    region TEXT NOT NULL,
    state TEXT NOT NULL,
    source_kind TEXT NOT NULL,
    source TEXT NOT NULL,
    object_key TEXT,
    size_bytes BIGINT,
    sha256 TEXT,
    virtual_size_bytes BIGINT,
    copied_bytes BIGINT NOT NULL DEFAULT 0,
    writes BIGINT NOT NULL DEFAULT 0,
    unused_writes TEXT NOT NULL DEFAULT '',
    attempt BIGINT NOT NULL,
    tries BIGINT NOT NULL DEFAULT 0,
    last_error TEXT,
    due_ms BIGINT,
    lease_owner TEXT,
    lease_until_ms BIGINT
);
CREATE INDEX replicas_by_holder ON replicas (holder_id);
CREATE INDEX replicas_due ON replicas (region, state, due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX replicas_copying_from ON replicas (source) WHERE state = 'copying';

CREATE TABLE exports (
    image_id TEXT PRIMARY KEY,
    bucket TEXT NOT NULL,
    object TEXT NOT NULL,
    state TEXT NOT NULL,
    since_ms BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    tries BIGINT NOT NULL DEFAULT 0,
    last_error TEXT,
    due_ms BIGINT,
    lease_owner TEXT,
    lease_until_ms BIGINT
);
CREATE INDEX exports_due ON exports (due_ms) WHERE due_ms IS NOT NULL;

CREATE TABLE deletions (
    id TEXT NOT NULL,
    image_id TEXT NOT NULL,
    image_name TEXT NOT NULL,
    product TEXT NOT NULL,
    owner TEXT NOT NULL,
    caller TEXT NOT NULL,
    request_id TEXT NOT NULL,
    reason TEXT,
    kept TEXT NOT NULL,
    accepted_ms BIGINT NOT NULL,
    erase_from_ms BIGINT NOT NULL,
    completed_ms BIGINT,
    restored_ms BIGINT,
    PRIMARY KEY (owner, id)
);
CREATE INDEX deletions_by_image ON deletions (image_id);
CREATE INDEX deletions_open ON deletions (accepted_ms) WHERE completed_ms IS NULL AND restored_ms IS NULL;

CREATE TABLE instances (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    image_id TEXT NOT NULL,
    reinit_image_id TEXT,
    power TEXT NOT NULL,
    transition TEXT NOT NULL,
    settles_ms BIGINT NOT NULL,
    charge_type TEXT NOT NULL,
    deletion_protection BIGINT NOT NULL,
    name TEXT NOT NULL,
    region TEXT NOT NULL,
    instance_type TEXT NOT NULL,
    echo TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    due_ms BIGINT
);
CREATE INDEX instances_by_owner ON instances (owner, kind, id);
CREATE INDEX instances_due ON instances (due_ms) WHERE due_ms IS NOT NULL;

CREATE TABLE disks (
    id TEXT PRIMARY KEY,
    instance_id TEXT NOT NULL,
    position BIGINT NOT NULL,
    kind TEXT NOT NULL,
    category TEXT NOT NULL,
    size_gib BIGINT NOT NULL
);
CREATE INDEX disks_by_instance ON disks (instance_id, position);

CREATE TABLE tags (
    resource_kind TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    tag_key TEXT NOT NULL,
    tag_value TEXT NOT NULL,
    PRIMARY KEY (resource_kind, resource_id, tag_key)
);

CREATE TABLE snapshots (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    state TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    disk_id TEXT NOT NULL,
    instance_id TEXT NOT NULL,
    ens_region TEXT NOT NULL,
    disk_category TEXT NOT NULL,
    size_gib BIGINT NOT NULL,
    architecture TEXT NOT NULL,
    compute_type TEXT NOT NULL,
    platform TEXT NOT NULL,
    os_type TEXT NOT NULL,
    os_version TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);
CREATE INDEX snapshots_by_owner ON snapshots (owner, id);

CREATE TABLE nonces (
    expires_ms BIGINT NOT NULL,
    access_key_id TEXT NOT NULL,
    nonce TEXT NOT NULL,
    request BIGINT NOT NULL
);

CREATE TABLE sessions (
    access_key_id TEXT PRIMARY KEY,
    token_sha256 TEXT NOT NULL,
    sealed_secret TEXT NOT NULL,
    account TEXT NOT NULL,
    role TEXT NOT NULL,
    name TEXT NOT NULL,
    policy TEXT,
    issued_to TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL
);
CREATE INDEX sessions_by_expiry ON sessions (expires_ms);
