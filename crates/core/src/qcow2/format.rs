//! Tells disk image formats apart by their signatures.

use std::fmt;

/// What the first bytes of a file say it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The copy-on-write format of QEMU, any version.
    Qcow2,
    /// QEMU Enhanced Disk.
    Qed,
    /// `VMware`, sparse or described in text.
    Vmdk,
    /// Virtual PC, dynamic. A fixed one has its mark at the end of the file, out of sight here.
    Vhd,
    /// Hyper-V.
    Vhdx,
    /// `VirtualBox`.
    Vdi,
    /// A raw disk encrypted with LUKS.
    Luks,
    /// An optical disc.
    Iso9660,
    /// A raw disk with a boot sector or a partition table.
    Raw,
    /// A compressed file or archive: gzip, xz, zstd, bzip2 or zip.
    Compressed,
    /// None of these.
    Unknown,
}

/// Format, offset of the signature in bytes, signature.
const SIGNATURES: [(Format, usize, &[u8]); 18] = [
    (Format::Qcow2, 0, b"QFI\xfb"),
    (Format::Qed, 0, b"QED\0"),
    (Format::Vmdk, 0, b"KDMV"),
    (Format::Vmdk, 0, b"COWD"),
    (Format::Vmdk, 0, b"# Disk DescriptorFile"),
    (Format::Vhd, 0, b"conectix"),
    (Format::Vhdx, 0, b"vhdxfile"),
    (Format::Vdi, 64, b"\x7f\x10\xda\xbe"),
    (Format::Luks, 0, b"LUKS\xba\xbe"),
    (Format::Iso9660, 32_769, b"CD001"),
    (Format::Raw, 512, b"EFI PART"),
    (Format::Raw, 510, b"\x55\xaa"),
    (Format::Compressed, 0, b"\x1f\x8b\x08"),
    (Format::Compressed, 0, b"\xfd7zXZ\0"),
    (Format::Compressed, 0, b"\x28\xb5\x2f\xfd"),
    (Format::Compressed, 0, b"BZh"),
    (Format::Compressed, 0, b"PK\x03\x04"),
    (Format::Compressed, 0, b"PK\x05\x06"),
];

impl Format {
    /// Detects the format of a file from its first bytes, best [`super::HEADER_BYTES`] of them.
    ///
    /// Fewer bytes are fine: what lies beyond them is not detected.
    #[must_use]
    pub fn detect(prefix: &[u8]) -> Self {
        all(prefix).next().unwrap_or(Self::Unknown)
    }

    /// A format other than qcow2 whose signature `prefix` bears as well.
    pub(super) fn besides_qcow2(prefix: &[u8]) -> Option<Self> {
        all(prefix).find(|format| *format != Self::Qcow2)
    }
}

fn all(prefix: &[u8]) -> impl Iterator<Item = Format> {
    SIGNATURES
        .iter()
        .filter(|(_, at, signature)| prefix.get(*at..).is_some_and(|rest| rest.starts_with(signature)))
        .map(|(format, ..)| *format)
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Qcow2 => "qcow2",
            Self::Qed => "qed",
            Self::Vmdk => "vmdk",
            Self::Vhd => "vhd",
            Self::Vhdx => "vhdx",
            Self::Vdi => "vdi",
            Self::Luks => "luks",
            Self::Iso9660 => "iso9660",
            Self::Raw => "raw",
            Self::Compressed => "a compressed file",
            Self::Unknown => "an unknown format",
        })
    }
}
