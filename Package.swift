// swift-tools-version: 6.2
import PackageDescription

/// Applied to every Swift target: the strict language mode and no tolerated warnings.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

/// A library target of this package, with the strict settings.
func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

/// The test target of `name`; fixtures are read from the checkout, not bundled.
func tests(
    _ name: String, _ dependencies: [Target.Dependency], excluding: [String] = []
) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: [.byName(name: name)] + dependencies,
        exclude: excluding, swiftSettings: strict)
}

let package = Package(
    name: "graft",
    products: [.executable(name: "graft", targets: ["graft"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    ],
    targets: [
        // C: kernels of our own, and the thinnest faces of the system's libraries.
        .target(name: "CKernels", cSettings: [.define("_GNU_SOURCE")]),
        .target(name: "COpenBLAS", cSettings: [.define("_GNU_SOURCE")]),
        .systemLibrary(name: "CJSON", providers: [.apt(["libjson-c-dev"])]),
        .systemLibrary(name: "CPCRE2", providers: [.apt(["libpcre2-dev"])]),
        .target(name: "CSentencePiece", linkerSettings: [.linkedLibrary("sentencepiece")]),

        // Libraries; arrows only point down (docs/architecture.md).
        module("StrictJSON", ["CJSON"]),
        module("RegularExpressions", ["CPCRE2"]),
        module("Kernels", ["CKernels", "COpenBLAS"]),
        module("Checkpoints", ["CKernels", "StrictJSON"]),
        module(
            "Tokenization",
            [
                "CSentencePiece", "RegularExpressions", "StrictJSON", "Checkpoints",
                .product(name: "Crypto", package: "swift-crypto"),
            ]),
        module("Transformer", ["Kernels", "Checkpoints", "StrictJSON"]),
        module(
            "Adapters",
            [
                "Transformer", "Checkpoints", "Kernels", "StrictJSON", "Tokenization",
                "RegularExpressions",
                .product(name: "Crypto", package: "swift-crypto"),
            ]),
        module(
            "Engine",
            [
                "Transformer", "Adapters", "Kernels",
                .product(name: "DequeModule", package: "swift-collections"),
            ]),
        module(
            "Serving",
            [
                "Engine", "Adapters", "Tokenization", "StrictJSON",
                .product(name: "Logging", package: "swift-log"),
            ]),
        module(
            "Transports",
            [
                "Serving",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]),
        .executableTarget(
            name: "graft",
            dependencies: [
                "StrictJSON", "Kernels", "Checkpoints", "Tokenization", "Transformer", "Adapters",
                "Engine", "Serving", "Transports",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),

        .target(name: "CAllocationCounter", path: "Tests/CAllocationCounter"),
        // Mutants of real files for the readers: tools/fuzz, and some of them in the tests.
        .target(
            name: "FuzzTargets",
            dependencies: [
                "StrictJSON", "Kernels", "Checkpoints", "Tokenization", "Transformer", "Adapters",
                "Engine", "Serving", .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/Fuzzing/Targets", swiftSettings: strict),
        .executableTarget(
            name: "graft-fuzz",
            dependencies: [
                "FuzzTargets", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Tests/Fuzzing/Driver", swiftSettings: strict),
        .testTarget(
            name: "FuzzingTests", dependencies: ["FuzzTargets"], swiftSettings: strict),
        tests("StrictJSON", []),
        tests("RegularExpressions", ["StrictJSON"]),
        tests("Kernels", ["CKernels"]),
        tests("Checkpoints", ["StrictJSON"]),
        tests("Tokenization", ["Checkpoints", "StrictJSON"], excluding: ["Fixtures"]),
        tests(
            "Transformer", ["Kernels", "Checkpoints", "StrictJSON", "CAllocationCounter"]),
        tests("Adapters", ["Transformer", "Checkpoints", "Kernels", "StrictJSON"]),
        tests("Engine", ["Adapters", "Transformer", "Checkpoints", "Kernels", "StrictJSON"]),
        tests("Serving", ["Engine", "Adapters", "Tokenization", "StrictJSON"]),
        tests("Transports", ["Serving", "StrictJSON"]),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "graft", "StrictJSON", "Checkpoints", "Tokenization", "Transformer", "Adapters",
                "Kernels",
            ],
            swiftSettings: strict),
    ],
    cLanguageStandard: .c11,
    cxxLanguageStandard: .cxx17
)
