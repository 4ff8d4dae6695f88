use super::super::{EXTENSIONS_MAX, Format, Part, Refusal, SNAPSHOTS_MAX, VIRTUAL_SIZE_BYTES_MAX};
use super::{inspect, or, put, small};

type Spoil = fn(&mut Vec<u8>);

/// One way to earn each refusal of the header, in the order of the enum.
const LADDER: [(Spoil, Refusal); 22] = [
    (|file| put(file, 0, b"KDMV"), Refusal::NotQcow2 { detected: Format::Vmdk }),
    (|file| file.truncate(7), Refusal::TruncatedHeader),
    (|file| put(file, 4, &[0, 0, 0, 4]), Refusal::UnknownVersion),
    (|file| or(file, 8, 512), Refusal::BackingFile),
    (|file| put(file, 32, &[0, 0, 0, 2]), Refusal::Encrypted),
    (|file| or(file, 72, 1 << 2), Refusal::DataFile),
    (|file| or(file, 72, 1 << 1), Refusal::Corrupt),
    (|file| or(file, 72, 1 << 5), Refusal::UnknownFeature),
    (|file| put(file, 20, &[0, 0, 0, 22]), Refusal::ClusterSize),
    (|file| put(file, 100, &[0, 0, 0, 108]), Refusal::HeaderLength),
    (|file| or(file, 72, 1 << 3), Refusal::CompressionType),
    (|file| put(file, 96, &[0, 0, 0, 7]), Refusal::RefcountWidth),
    (|file| put(file, 510, &[0x55, 0xaa]), Refusal::Ambiguous { also: Format::Raw }),
    (|file| put(file, 104, &[0, 0, 0, 1, 0, 0, 16, 0]), Refusal::ExtensionLength),
    (|file| put(file, 104, &[1, 0, 0, 0, 0, 0, 0, 0].repeat(EXTENSIONS_MAX)), Refusal::TooManyExtensions),
    (|file| put(file, 24, &[0; 8]), Refusal::VirtualSize),
    (|file| put(file, 36, &[0, 0x40, 0, 1]), Refusal::L1TooLarge),
    (|file| put(file, 36, &[0, 0, 0, 1]), Refusal::L1TooSmall),
    (|file| put(file, 56, &[0; 4]), Refusal::RefcountTableSize),
    (|file| put(file, 60, &(SNAPSHOTS_MAX + 1).to_be_bytes()), Refusal::TooManySnapshots),
    (|file| or(file, 40, 8), Refusal::Misplaced { part: Part::L1Table }),
    (|file| file.copy_within(40..48, 48), Refusal::Overlap { part: Part::RefcountTable }),
];

#[test]
fn the_first_refusal_that_applies_is_given() {
    for (rung, (spoil, refusal)) in LADDER.into_iter().enumerate() {
        let mut file = small(12);
        spoil(&mut file);
        assert_eq!(inspect(&file), Err(refusal), "alone");
        for (also_spoil, also) in LADDER.into_iter().skip(rung + 1) {
            let mut file = small(12);
            also_spoil(&mut file);
            spoil(&mut file);
            assert_eq!(inspect(&file), Err(refusal), "with {also:?}");
        }
    }
}

/// Applies each change to a valid file of its own and expects the same refusal.
fn all_refused(spoils: &[Spoil], refusal: Refusal) {
    for (index, spoil) in spoils.iter().enumerate() {
        let mut file = small(12);
        spoil(&mut file);
        assert_eq!(inspect(&file), Err(refusal), "change {index}");
    }
}

/// CVE-2011-3147, CVE-2015-5163.
#[test]
fn hostile_backing_file_is_refused() {
    all_refused(
        &[
            |file| name_backing_file(file),
            |file| {
                put(file, 4, &[0, 0, 0, 2]);
                name_backing_file(file);
            },
            |file| put(file, 16, &[0, 0, 0, 1]),
            |file| or(file, 8, 1 << 63),
        ],
        Refusal::BackingFile,
    );
    let mut file = small(12);
    name_backing_file(&mut file);
    assert_eq!(inspect(&file).unwrap_err().to_string(), "the image names a backing file");
}

fn name_backing_file(file: &mut [u8]) {
    or(file, 8, 256);
    put(file, 16, &[0, 0, 0, 11]);
    put(file, 256, b"/etc/shadow");
}

/// CVE-2024-32498.
#[test]
fn hostile_data_file_is_refused() {
    all_refused(
        &[
            |file| or(file, 72, 1 << 2),
            |file| or(file, 88, 1 << 1),
            // The name alone, without the feature bit.
            |file| {
                put(file, 104, b"DATA\0\0\0\x0b");
                put(file, 112, b"/etc/shadow");
            },
            // Behind another extension, whose length is rounded up.
            |file| {
                put(file, 104, &[0, 0, 0, 1, 0, 0, 0, 3]);
                put(file, 120, b"DATA\0\0\0\0");
            },
            // Version 2 has extensions too.
            |file| {
                put(file, 4, &[0, 0, 0, 2]);
                put(file, 72, b"DATA\0\0\0\0");
            },
        ],
        Refusal::DataFile,
    );
}

#[test]
fn hostile_encryption_is_refused() {
    all_refused(
        &[
            |file| put(file, 32, &[0, 0, 0, 1]),
            |file| put(file, 32, &[0xff; 4]),
            |file| put(file, 104, &[0x05, 0x37, 0xbe, 0x77, 0, 0, 0, 16]),
        ],
        Refusal::Encrypted,
    );
}

/// CVE-2022-47951 (vmdk for qcow2) and CVE-2026-27211: one file must not be two things.
#[test]
fn hostile_other_format_is_refused() {
    let detected = |at: usize, signature: &[u8]| {
        let mut file = vec![0; 65_536];
        put(&mut file, at, signature);
        inspect(&file)
    };
    let qcow2_and = |at: usize, signature: &[u8]| {
        let mut file = small(16);
        put(&mut file, at, signature);
        inspect(&file)
    };
    for (at, signature, format, text) in [
        (0, &b"KDMV"[..], Format::Vmdk, "vmdk"),
        (0, b"# Disk DescriptorFile\n", Format::Vmdk, "vmdk"),
        (0, b"conectix", Format::Vhd, "vhd"),
        (0, b"vhdxfile", Format::Vhdx, "vhdx"),
        (0, b"QED\0", Format::Qed, "qed"),
        (0, b"LUKS\xba\xbe", Format::Luks, "luks"),
        (0, b"\x1f\x8b\x08\0", Format::Compressed, "a compressed file"),
        (64, b"\x7f\x10\xda\xbe", Format::Vdi, "vdi"),
        (510, b"\x55\xaa", Format::Raw, "raw"),
        (512, b"EFI PART", Format::Raw, "raw"),
        (32_769, b"CD001", Format::Iso9660, "iso9660"),
        (100, b"/etc/shadow", Format::Unknown, "an unknown format"),
    ] {
        let refusal = Refusal::NotQcow2 { detected: format };
        assert_eq!(detected(at, signature), Err(refusal));
        assert_eq!(refusal.to_string(), format!("declared qcow2, detected {text}"));
        if at != 0 && format != Format::Unknown {
            assert_eq!(qcow2_and(at, signature), Err(Refusal::Ambiguous { also: format }));
        }
    }
    assert_eq!(inspect(b""), Err(Refusal::NotQcow2 { detected: Format::Unknown }));
}

/// With small clusters the guest's own boot sector or disc may lie where a polyglot's signature would.
#[test]
fn guest_data_that_looks_like_another_format_is_accepted() {
    let mut file = small(9);
    file.resize(65_536, 0);
    put(&mut file, 32_769, b"CD001");
    assert!(inspect(&file).is_ok());
}

#[test]
fn hostile_shape_is_refused() {
    all_refused(
        &[
            |file| put(file, 20, &[0, 0, 0, 8]),
            |file| put(file, 20, &[0xff; 4]),
            |file| or(file, 72, 1 << 4), // extended entries in clusters of 4 KiB
        ],
        Refusal::ClusterSize,
    );
    all_refused(
        &[
            |file| put(file, 100, &[0, 0, 0, 96]),
            |file| put(file, 100, &[0, 0, 0, 72]),
            |file| put(file, 100, &[0, 0, 16, 8]),
            |file| put(file, 100, &[0xff, 0xff, 0xff, 0xf8]),
        ],
        Refusal::HeaderLength,
    );
    all_refused(
        &[
            // A type that is not known.
            |file| {
                or(file, 72, 1 << 3);
                put(file, 100, &[0, 0, 0, 112, 2]);
            },
            // A type without its feature bit.
            |file| put(file, 100, &[0, 0, 0, 112, 1]),
        ],
        Refusal::CompressionType,
    );
}

#[test]
fn huge_tables_are_refused_before_anything_is_read() {
    all_refused(
        &[
            |file| put(file, 24, &(VIRTUAL_SIZE_BYTES_MAX + 1).to_be_bytes()),
            |file| put(file, 24, &[0xff; 8]),
        ],
        Refusal::VirtualSize,
    );
    all_refused(&[|file| put(file, 36, &[0xff; 4])], Refusal::L1TooLarge);
    all_refused(
        &[|file| put(file, 56, &[0xff; 4]), |file| put(file, 56, &[0, 0, 8, 1])],
        Refusal::RefcountTableSize,
    );
    all_refused(&[|file| put(file, 60, &[0xff; 4])], Refusal::TooManySnapshots);
    // The largest tables that are allowed have to be in the file.
    let truncated = |part| Refusal::Truncated { part };
    all_refused(&[|file| put(file, 36, &[0, 0x40, 0, 0])], truncated(Part::L1Table));
    all_refused(
        &[|file| {
            put(file, 48, &(16 * 4096_u64).to_be_bytes());
            put(file, 56, &[0, 0, 8, 0]);
        }],
        truncated(Part::RefcountTable),
    );
    all_refused(
        &[|file| {
            put(file, 60, &SNAPSHOTS_MAX.to_be_bytes());
            put(file, 64, &(16 * 4096_u64).to_be_bytes());
        }],
        truncated(Part::SnapshotTable),
    );
}

#[test]
fn misplaced_tables_are_refused() {
    let misplaced = |part| Refusal::Misplaced { part };
    all_refused(
        &[
            |file| put(file, 40, &[0; 8]),
            |file| put(file, 40, &[0xff; 8]),
            |file| put(file, 40, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xf0, 0]),
            |file| put(file, 40, &[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xf0, 1]),
        ],
        misplaced(Part::L1Table),
    );
    all_refused(&[|file| put(file, 48, &[0; 8])], misplaced(Part::RefcountTable));
    all_refused(&[|file| put(file, 60, &[0, 0, 0, 1])], misplaced(Part::SnapshotTable));
    all_refused(
        &[|file| {
            put(file, 60, &[0, 0, 0, 1]);
            file.copy_within(40..48, 64);
        }],
        Refusal::Overlap { part: Part::SnapshotTable },
    );
}

#[test]
fn extensions_are_bounded() {
    fn bitmaps(file: &mut [u8], length: u8, size_bytes: u64, offset: u64) {
        or(file, 88, 1);
        put(file, 104, &[0x23, 0x85, 0x28, 0x75, 0, 0, 0, length]);
        or(file, 120, size_bytes);
        or(file, 128, offset);
    }
    let part = Part::BitmapDirectory;
    all_refused(
        &[
            |file| put(file, 104, &[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]),
            |file| bitmaps(file, 16, 64, 4096 * 9),
        ],
        Refusal::ExtensionLength,
    );
    all_refused(&[|file| bitmaps(file, 24, 64, 4097)], Refusal::Misplaced { part });
    all_refused(&[|file| bitmaps(file, 24, 64, 4096)], Refusal::Overlap { part });
    all_refused(&[|file| bitmaps(file, 24, 64, 4096 * 9)], Refusal::Truncated { part });
    // Bitmaps that are not marked as consistent are ignored by every reader.
    let mut file = small(12);
    bitmaps(&mut file, 24, 64, 4097);
    put(&mut file, 88, &[0; 8]);
    assert!(inspect(&file).is_ok());
}

/// The end mark may be missing only where the header cluster ends.
#[test]
fn extensions_may_fill_their_cluster() {
    let filled = |cluster_bits: u32, area_bytes: usize| {
        let mut file = small(cluster_bits);
        put(&mut file, 104, &[0, 0, 0, 1]);
        put(&mut file, 108, &u32::try_from(area_bytes - 112).unwrap().to_be_bytes());
        inspect(&file).map(|_| ())
    };
    assert_eq!(filled(12, 4096), Ok(()));
    assert_eq!(filled(16, 65_536), Ok(()));
    assert_eq!(filled(17, 65_536), Err(Refusal::ExtensionLength));
}

#[test]
fn a_header_cut_off_anywhere_is_refused() {
    let mut file = small(12);
    put(&mut file, 104, &[0, 0, 0, 1, 0, 0, 0, 32]);
    for length in 4..152 {
        assert_eq!(inspect(&file[..length]), Err(Refusal::TruncatedHeader), "{length}");
    }
}
