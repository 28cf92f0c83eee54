//  What an uploaded file turned out to be: the values that the inspector answers.

public import ByteKit

/// The format of a file, told by its content and never by its name.
public enum ImageKind: Equatable, Sendable {
    /// No byte at all.
    case empty
    /// An ESP-IDF application image, or what claims to be one (first byte E9, or a flash dump around one).
    case espApp
    /// An image signed by MCUboot's imgtool (magic 96F3B83D).
    case mcuboot
    /// A UF2 container for drag-and-drop bootloaders.
    case uf2
    /// An ELF file, for microcontrollers or for Linux.
    case elf
    /// A text that the kernel runs by its first line, `#!`.
    case script
    /// A gzip stream.
    case gzip
    /// A zip archive.
    case zip
    /// No known header.
    case raw

    /// The name used on the wire and in answers, such as `esp-app`.
    public var name: StaticString {
        switch self {
        case .empty: "empty"
        case .espApp: "esp-app"
        case .mcuboot: "mcuboot"
        case .uf2: "uf2"
        case .elf: "elf"
        case .script: "script"
        case .gzip: "gzip"
        case .zip: "zip"
        case .raw: "raw"
        }
    }
}

/// What kind of product the file is meant for.
public enum ImagePolicy: Equatable, Sendable {
    /// A device that takes a firmware image: ESP-IDF and MCUboot images pass, ELF and archives do not.
    case microcontroller
    /// A device that runs one program: complete ELF executables and `#!` scripts pass, nothing else does.
    case linuxProgram
}

/// Whether a file may be published.
public enum ImageVerdict: Equatable, Sendable {
    /// The file is whole and of a format that the policy takes.
    case accept
    /// The first check that failed.
    case reject(ImageRejection)
    /// No known header: only for products declared raw, with the version given by hand.
    case raw
}

/// The hash that an image carries about itself.
public enum ImageHashState: Equatable, Sendable {
    /// The image carries none.
    case absent
    /// The image carries one that was not reached, because an earlier check failed.
    case unchecked
    /// Recomputed and equal.
    case valid
    /// Recomputed and different.
    case mismatch
}

/// The signature that an image carries.
///
/// Keys are not known here: nothing is ever reported as verified.
public enum ImageSignatureState: Equatable, Sendable {
    /// The image carries none.
    case absent
    /// The image carries at least one, well formed; whether it is right needs the product's public key.
    case unverified
}

/// Everything that the inspector found.
///
/// Offsets count from the first byte of the file.
public struct ImageReport: Sendable {
    /// The format by content.
    public internal(set) var kind: ImageKind
    /// Accepted, refused with the first failing check, or raw.
    public internal(set) var verdict: ImageVerdict
    /// Fields of an ESP-IDF image, as far as they could be read; `nil` without a whole header.
    public internal(set) var esp: ESPImage?
    /// Fields of an MCUboot image, as far as they could be read; `nil` without a whole header.
    public internal(set) var mcuboot: MCUbootImage?
    /// Fields of an ELF file; `nil` without a whole header.
    public internal(set) var elf: ELFProgram?
    /// The interpreter line of a script without `#!`, spaces around it and the line end; `nil` if it has
    /// none.
    public internal(set) var interpreter: ByteRange?

    /// A report that knows the kind and nothing else.
    init(kind: ImageKind, verdict: ImageVerdict) {
        self.kind = kind
        self.verdict = verdict
    }

    /// Whether the image carries a signature.
    public var signature: ImageSignatureState {
        if let esp { return esp.signatureCount > 0 ? .unverified : .absent }
        if let mcuboot { return mcuboot.signature == .none ? .absent : .unverified }
        return .absent
    }

    /// State of the hash that the image carries about itself.
    public var hash: ImageHashState {
        esp?.hash ?? mcuboot?.hash ?? .absent
    }

    /// Writes the version that the image itself names: the proposal for a release, to be compared with its
    /// label.
    ///
    /// `image` must be the bytes that were inspected. Writes nothing where the format carries none.
    public func writeVersion(of image: Span<UInt8>, to sink: inout some ByteSink) {
        if let version = esp?.app?.version, version.end <= image.count {
            sink.append(image.slice(version))
        } else if let mcuboot {
            mcuboot.version.write(to: &sink)
        }
    }
}
