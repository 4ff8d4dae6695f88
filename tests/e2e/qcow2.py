"""Writes qcow2 files: valid ones with real data, and hostile ones.

The layout is always the same, one part after the other, each at a cluster boundary:
header, refcount table, refcount blocks, L1 table, L2 tables, data clusters.

Source: docs/interop/qcow2.txt of QEMU.
"""

import random
import struct
from dataclasses import dataclass

MAGIC = b"QFI\xfb"
COPIED = 1 << 63
GIB = 1 << 30

# Where the fields of the header lie, and how wide they are.
FIELDS = {
    "magic": (0, ">I"),
    "version": (4, ">I"),
    "backing_file_offset": (8, ">Q"),
    "backing_file_size": (16, ">I"),
    "cluster_bits": (20, ">I"),
    "size": (24, ">Q"),
    "crypt_method": (32, ">I"),
    "l1_size": (36, ">I"),
    "l1_table_offset": (40, ">Q"),
    "refcount_table_offset": (48, ">Q"),
    "refcount_table_clusters": (56, ">I"),
    "nb_snapshots": (60, ">I"),
    "snapshots_offset": (64, ">Q"),
    "incompatible_features": (72, ">Q"),
    "compatible_features": (80, ">Q"),
    "autoclear_features": (88, ">Q"),
    "refcount_order": (96, ">I"),
    "header_length": (100, ">I"),
    "compression_type": (104, ">B"),
}


@dataclass(frozen=True)
class Layout:
    """Where the parts of a file lie, in bytes."""

    cluster: int
    refcount_table: int
    refcount_block: int
    l1: int
    l2: int
    data: int
    end: int


def write(data, virtual_size=20 * GIB, cluster_bits=16, version=3):
    """A valid file. `data` maps guest offsets (multiples of the cluster size) to bytes."""
    return lay_out(data, virtual_size, cluster_bits, version)[0]


def golden(seed=0, clusters=2, virtual_size=20 * GIB, cluster_bits=16, version=3):
    """A valid file with random data at the start and at the end of the disk."""
    chance = random.Random(seed)
    cluster = 1 << cluster_bits
    last = (virtual_size - 1) // cluster
    places = [0, last, *range(1, last)][:clusters]
    return write({place * cluster: chance.randbytes(cluster) for place in places}, virtual_size, cluster_bits, version)


def lay_out(data, virtual_size, cluster_bits, version):
    """A valid file and its layout."""
    cluster = 1 << cluster_bits
    pieces = {
        offset + at: piece[at : at + cluster] for offset, piece in data.items() for at in range(0, len(piece), cluster)
    }
    assert all(offset % cluster == 0 and offset < virtual_size for offset in pieces)
    entries = cluster // 8
    l1_entries = -(-virtual_size // (entries * cluster))
    l1_clusters = -(-l1_entries * 8 // cluster)
    l2_indexes = sorted({offset // cluster // entries for offset in pieces})
    others = 2 + l1_clusters + len(l2_indexes) + len(pieces)
    blocks = 1
    while (others + blocks) * 2 > blocks * cluster:
        blocks += 1
    assert blocks <= entries, "one cluster of refcount table must do"
    layout = Layout(
        cluster=cluster,
        refcount_table=cluster,
        refcount_block=2 * cluster,
        l1=(2 + blocks) * cluster,
        l2=(2 + blocks + l1_clusters) * cluster,
        data=(2 + blocks + l1_clusters + len(l2_indexes)) * cluster,
        end=(others + blocks) * cluster,
    )

    out = bytearray(layout.end)
    out[: len(MAGIC)] = MAGIC
    put(out, version=version, cluster_bits=cluster_bits, size=virtual_size)
    put(out, l1_size=l1_entries, l1_table_offset=layout.l1)
    put(out, refcount_table_offset=layout.refcount_table, refcount_table_clusters=1)
    if version == 3:
        put(out, refcount_order=4, header_length=112)
    for block in range(blocks):
        at = layout.refcount_block + block * cluster
        struct.pack_into(">Q", out, layout.refcount_table + 8 * block, at)
    struct.pack_into(f">{others + blocks}H", out, layout.refcount_block, *[1] * (others + blocks))
    for number, index in enumerate(l2_indexes):
        struct.pack_into(">Q", out, layout.l1 + 8 * index, COPIED | layout.l2 + number * cluster)
    for number, offset in enumerate(sorted(pieces)):
        at = layout.data + number * cluster
        index, entry = divmod(offset // cluster, entries)
        table = layout.l2 + l2_indexes.index(index) * cluster
        struct.pack_into(">Q", out, table + 8 * entry, COPIED | at)
        out[at : at + len(pieces[offset])] = pieces[offset]
    return bytes(out), layout


def put(out, **fields):
    """Sets fields of the header."""
    for name, value in fields.items():
        at, form = FIELDS[name]
        struct.pack_into(form, out, at, value)


def changed(file, **fields):
    """The file with other values in its header."""
    out = bytearray(file)
    put(out, **fields)
    return bytes(out)


def with_bytes(file, at, piece):
    """The file with other bytes at a place."""
    return file[:at] + piece + file[at + len(piece) :]


def with_entry(file, at, value):
    """The file with another table entry at a place."""
    return with_bytes(file, at, struct.pack(">Q", value))


def with_backing_file(file, name):
    """The file with a backing file of this name."""
    return with_bytes(changed(file, backing_file_offset=512, backing_file_size=len(name)), 512, name)


def with_extension(file, kind, piece):
    """The file with one header extension; no other part is moved."""
    extension = struct.pack(">II", kind, len(piece)) + piece + bytes(-len(piece) % 8) + bytes(8)
    return with_bytes(file, 112, extension)


def acceptable():
    """Unusual files that are valid all the same, by name."""
    file, layout = lay_out({0: b"boot" * 4096, 3 * GIB: b"data" * 4096}, 20 * GIB, 16, 3)
    return {
        "version 2": golden(version=2),
        "clusters of 512 bytes": golden(cluster_bits=9, virtual_size=1 << 20, clusters=4),
        "clusters of 4 KiB": golden(cluster_bits=12, virtual_size=1 * GIB),
        "clusters of 2 MiB": golden(cluster_bits=21, clusters=1),
        "no data at all": write({}),
        "a size that is no whole number of clusters": write({0: b"x" * 65536}, virtual_size=10 * GIB + 512),
        "dirty": changed(file, incompatible_features=1),
        "unknown compatible feature": changed(file, compatible_features=1 << 40),
        "unknown auto-clear feature": changed(file, autoclear_features=1 << 40),
        "a feature name table": with_extension(file, 0x6803F857, b"\0\0" + b"dirty bit".ljust(46, b"\0")),
        "a zero cluster": with_entry(file, layout.l2 + 8, 1),
        "more than one megabyte of data": golden(clusters=40),
    }


def hostile():
    """Files that must not become an image, by name."""
    file, at = lay_out({0: b"boot" * 4096, 3 * GIB: b"data" * 4096}, 20 * GIB, 16, 3)
    beyond = at.end + at.cluster
    raw = random.Random(1).randbytes(1 << 20)
    files = {
        "empty": b"",
        "one byte": b"Q",
        "zeros": bytes(1 << 20),
        "noise": raw,
        "text": b"root:x:0:0:root:/root:/bin/bash\n" * 1000,
        "a raw disk": with_bytes(raw, 510, b"\x55\xaa"),
        "a vmdk": b"KDMV" + raw,
        "a vmdk descriptor": b'# Disk DescriptorFile\nversion=1\nRW 1 FLAT "/etc/shadow" 0\n',
        "a vhd": b"conectix" + raw,
        "a vhdx": b"vhdxfile" + raw,
        "a vdi": with_bytes(raw, 64, b"\x7f\x10\xda\xbe"),
        "a qed": b"QED\0" + raw,
        "a luks volume": b"LUKS\xba\xbe" + raw,
        "a gzip file": b"\x1f\x8b\x08" + raw,
        "wrong magic": with_bytes(file, 0, b"QFI\xfa"),
        "version 1": changed(file, version=1),
        "version 4": changed(file, version=4),
        "version 0": changed(file, version=0),
        "backing file": with_backing_file(file, b"/etc/passwd"),
        "backing file as json": with_backing_file(file, b'json:{"driver":"host_device","filename":"/dev/sda"}'),
        "backing file of no length": changed(file, backing_file_offset=512),
        "backing file at no place": changed(file, backing_file_size=11),
        "backing file in version 2": with_backing_file(golden(version=2), b"/etc/passwd"),
        "data file": with_extension(changed(file, incompatible_features=4), 0x44415441, b"/etc/passwd"),
        "data file by its bit only": changed(file, incompatible_features=4),
        "data file by its extension only": with_extension(file, 0x44415441, b"/etc/passwd"),
        "raw data file": changed(file, incompatible_features=4, autoclear_features=2),
        "encrypted with AES": changed(file, crypt_method=1),
        "encrypted with LUKS": with_extension(changed(file, crypt_method=2), 0x0537BE77, bytes(16)),
        "unknown encryption": changed(file, crypt_method=77),
        "corrupt": changed(file, incompatible_features=2),
        "unknown incompatible feature": changed(file, incompatible_features=1 << 5),
        "another unknown incompatible feature": changed(file, incompatible_features=1 << 63),
        "cluster bits 0": changed(file, cluster_bits=0),
        "cluster bits 8": changed(file, cluster_bits=8),
        "cluster bits 22": changed(file, cluster_bits=22),
        "cluster bits 63": changed(file, cluster_bits=63),
        "cluster bits of all ones": changed(file, cluster_bits=0xFFFFFFFF),
        "virtual size 0": changed(file, size=0),
        "virtual size of 64 TiB and a sector": changed(file, size=(64 << 40) + 512),
        "virtual size of all ones": changed(file, size=(1 << 64) - 1),
        "huge L1 table": changed(file, l1_size=0xFFFFFFFF),
        "L1 table beyond the end": changed(file, l1_table_offset=beyond),
        "L1 table at the end of the world": changed(file, l1_table_offset=(1 << 64) - at.cluster),
        "L1 table that is not aligned": changed(file, l1_table_offset=at.l1 + 8),
        "L1 table at no place": changed(file, l1_table_offset=0),
        "L1 table too small": changed(file, l1_size=1),
        "L1 table of no length": changed(file, l1_size=0),
        "huge refcount table": changed(file, refcount_table_clusters=0xFFFFFFFF),
        "refcount table of no length": changed(file, refcount_table_clusters=0),
        "refcount table beyond the end": changed(file, refcount_table_offset=beyond),
        "refcount table that is not aligned": changed(file, refcount_table_offset=at.refcount_table + 512),
        "refcount table at no place": changed(file, refcount_table_offset=0),
        "refcount table over the L1 table": changed(file, refcount_table_offset=at.l1),
        "refcount block beyond the end": with_entry(file, at.refcount_table, beyond),
        "refcounts of 128 bits": changed(file, refcount_order=7),
        "header of 8 bytes": changed(file, header_length=8),
        "header of 2 GiB": changed(file, header_length=1 << 31),
        "unknown compression": changed(file, incompatible_features=8, compression_type=9),
        "endless header extension": with_bytes(file, 112, struct.pack(">II", 0x12345678, 0xFFFFFFFF)),
        "huge snapshot table": changed(file, nb_snapshots=0xFFFFFFFF, snapshots_offset=at.cluster),
        "snapshot table beyond the end": changed(file, nb_snapshots=1, snapshots_offset=beyond),
        "L2 table beyond the end": with_entry(file, at.l1, COPIED | beyond),
        "L2 table that is not aligned": with_entry(file, at.l1, COPIED | at.l2 + 512),
        "L2 table over the header": with_entry(file, at.l1, COPIED),
        "L2 table over the L1 table": with_entry(file, at.l1, COPIED | at.l1),
        "one L2 table twice": with_entry(file, at.l1 + 8, COPIED | at.l2),
        "reserved bits in the L1 table": with_entry(file, at.l1, COPIED | at.l2 | 1 << 60),
        "data beyond the end": with_entry(file, at.l2, COPIED | beyond),
        "data that is not aligned": with_entry(file, at.l2, COPIED | at.data + 512),
        "data over the L1 table": with_entry(file, at.l2, COPIED | at.l1),
        "compressed data beyond the end": with_entry(file, at.l2, 1 << 62 | beyond),
    }
    cuts = {
        "the magic": 4,
        "the version": 7,
        "a version 2 header": 72,
        "a version 3 header": 103,
        "its header cluster": at.cluster // 2,
        "the refcount table": at.refcount_table + 100,
        "a refcount block": at.refcount_block + 100,
        "the L1 table": at.l1 + 20,
        "an L2 table": at.l2 + 100,
        "the last data": at.end - at.cluster,
    }
    return files | {f"cut off in {where}": file[:length] for where, length in cuts.items()}
