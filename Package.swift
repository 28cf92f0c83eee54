// swift-tools-version: 6.2
import PackageDescription

// Compiler settings live here and not on the command line: other flags would rebuild every dependency.
let common: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
    .treatAllWarnings(as: .error),
]

/// A module of the device dialect: also built for riscv32 (`scripts/build-device-modules`).
func device(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: common + [.strictMemorySafety()])
}

/// A core (pure values) or a shell (sockets, disks, clocks) of the host.
func host(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: common)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: common)
}

/// Tests of an optimized module, themselves not optimized: that would take several times as long to compile.
func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(
        name: name + "Tests", dependencies: ["ApusTestKit"] + dependencies,
        swiftSettings: common + [.unsafeFlags(["-Onone"])])
}

let nioFoundation = Target.Dependency.product(name: "NIOFoundationCompat", package: "swift-nio")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioTLS = Target.Dependency.product(name: "NIOTLS", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")
let asn1 = Target.Dependency.product(name: "SwiftASN1", package: "swift-asn1")
let x509 = Target.Dependency.product(name: "X509", package: "swift-certificates")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let sqlite = Target.Dependency.product(name: "GRDBSQLite", package: "GRDB.swift")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let hummingbirdTLS = Target.Dependency.product(name: "HummingbirdTLS", package: "hummingbird")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let mustache = Target.Dependency.product(name: "Mustache", package: "swift-mustache")
let httpClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")

let package = Package(
    name: "apus",
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // Ground.
        device("ByteKit"),
        device("MQTTWire", ["ByteKit"]),
        device("JSONText", ["ByteKit"]),
        device("VersionText", ["ByteKit"]),
        host("WebSocketWire", ["ByteKit"]),

        // Shared.
        device("ImageFormat", ["ByteKit"]),
        device("DeviceCore", ["ByteKit", "JSONText", "VersionText"]),
        host("ShadowDocument", ["ByteKit", "JSONText"]),

        // Cores.
        host("ShadowService", ["ByteKit", "JSONText", "ShadowDocument"]),
        host("Broker", ["ByteKit", "JSONText", "MQTTWire"]),
        host("JobService", ["ByteKit", "JSONText"]),
        host("RequestSigning", ["ByteKit", crypto]),
        host("Accounts", []),
        host("Releases", ["ByteKit", "VersionText"]),

        // Shells of the server.
        host("Store", [grdb, sqlite, logging, "ShadowDocument", "ShadowService"]),
        host("BlobStore", [crypto, nioCore]),
        host("Identity", [crypto, x509, asn1]),
        host(
            "Operations",
            [
                grdb, crypto, cryptoExtras, protobuf, logging, "Store", "BlobStore", "Identity", "Accounts", "Releases",
                "ShadowService", "ShadowDocument", "JobService", "JSONText", "ByteKit", "ImageFormat", "Broker",
            ]),
        .target(name: "CWebAssets", exclude: ["assets"]),
        .systemLibrary(name: "CMark", pkgConfig: "libcmark", providers: [.apt(["libcmark-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        host(
            "WebPages",
            [
                mustache, crypto, "CWebAssets", "CMark", "CZlib", "Operations", "Releases", "Accounts", "Store",
                "JSONText",
                "ByteKit",
            ]),
        host(
            "BrokerNIO",
            [nioCore, nioPosix, nioSSL, nioTLS, logging, "Broker", "MQTTWire", "ByteKit", "Identity"]),
        host(
            "HTTPAPI",
            [
                hummingbird, hummingbirdCore, hummingbirdTLS, httpTypes, nioCore, nioPosix, nioHTTP1, nioSSL, logging,
                "Operations", "Store", "WebSocketWire",
                "BlobStore", "Accounts", "ShadowService", "ShadowDocument", "JobService", "RequestSigning", "Broker",
                "MQTTWire", "ByteKit", "JSONText", "Identity", "Releases", "WebPages", crypto,
            ]),

        // Mains.
        program(
            "apus",
            [
                argumentParser, httpClient, lifecycle, unixSignals, nioCore, nioFoundation, nioHTTP1, nioPosix, nioSSL,
                logging, crypto, "HTTPAPI", "BrokerNIO", "Operations", "Releases",
                "Store", "BlobStore", "Identity", "Accounts", "Broker", "MQTTWire", "ShadowService", "ByteKit",
            ]),

        // The Linux device.
        .target(name: "CAgent"),
        host(
            "AgentLinux",
            [
                nioCore, nioPosix, nioHTTP1, nioSSL, crypto, "ByteKit", "JSONText", "MQTTWire", "DeviceCore", "CAgent",
            ]),
        program("apus-agent", [argumentParser, "AgentLinux"]),

        // Simulated devices, for demo and tests.
        program(
            "apus-stock-device",
            [
                argumentParser, httpClient, nioCore, nioPosix, nioHTTP1, nioSSL, "ByteKit", "JSONText", "MQTTWire",
            ]),
        program("demo-lamp", []),

        // Load for measurements.
        program("apus-bench", [argumentParser, nioCore, nioPosix, nioSSL, "MQTTWire"]),

        // Tests.
        host("ApusTestKit", []),
        tests("MQTTWire", ["ByteKit", "MQTTWire"]),
        tests("VersionText", ["VersionText"]),
        tests("WebSocketWire", ["ByteKit", "WebSocketWire"]),
        tests("JSONText", ["ByteKit", "JSONText"]),
        tests("ShadowDocument", ["ByteKit", "JSONText", "ShadowDocument"]),
        tests("ShadowService", ["ByteKit", "JSONText", "ShadowDocument", "ShadowService"]),
        tests("JobService", ["ByteKit", "JSONText", "JobService"]),
        tests("RequestSigning", ["ByteKit", "RequestSigning"]),
        tests("Broker", ["ByteKit", "MQTTWire", "Broker"]),
        tests("Accounts", ["Accounts"]),
        tests("Releases", ["Releases"]),
        tests("WebPages", ["WebPages", "Operations", "Releases"]),
        tests("ImageFormat", ["ByteKit", "ImageFormat"]),
        tests("DeviceCore", ["ByteKit", "JSONText", "VersionText", "DeviceCore"]),
    ]
)
