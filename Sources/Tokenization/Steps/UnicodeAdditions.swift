/// Characters that Unicode 15 and 16 added to general categories.
///
/// Debian's PCRE2 10.42 has the tables of Unicode 14, `tokenizers` matches with those of Unicode
/// 16.
/// **Source:** the Unicode Character Database, version 16.0, `DerivedGeneralCategory.txt`.
enum UnicodeAdditions {
    private static let letters =
        #"\x{1c89}\x{1c8a}\x{a7cb}-\x{a7cd}\x{a7da}-\x{a7dc}\x{105c0}-\x{105f3}\x{10d4a}-\x{10d65}"#
        + #"\x{10d6f}-\x{10d85}\x{10ec2}-\x{10ec4}\x{1123f}\x{11240}\x{11380}-\x{11389}\x{1138b}\x{1138e}"#
        + #"\x{11390}-\x{113b5}\x{113b7}\x{113d1}\x{113d3}\x{11bc0}-\x{11be0}\x{11f02}\x{11f04}-\x{11f10}"#
        + #"\x{11f12}-\x{11f33}\x{1342f}\x{13441}-\x{13446}\x{13460}-\x{143fa}\x{16100}-\x{1611d}"#
        + #"\x{16d40}-\x{16d6c}\x{18cff}\x{1b132}\x{1b155}\x{1df25}-\x{1df2a}\x{1e030}-\x{1e06d}"#
        + #"\x{1e4d0}-\x{1e4eb}\x{1e5d0}-\x{1e5ed}\x{1e5f0}\x{2b739}\x{2ebf0}-\x{2ee5d}\x{31350}-\x{323af}"#
    private static let numbers =
        #"\x{10d40}-\x{10d49}\x{116d0}-\x{116e3}\x{11bf0}-\x{11bf9}\x{11f50}-\x{11f59}\x{16130}-\x{16139}"#
        + #"\x{16d70}-\x{16d79}\x{1ccf0}-\x{1ccf9}\x{1d2c0}-\x{1d2d3}\x{1e4f0}-\x{1e4f9}\x{1e5f1}-\x{1e5fa}"#
    private static let marks =
        #"\x{897}\x{cf3}\x{ece}\x{10d69}-\x{10d6d}\x{10efc}-\x{10eff}\x{11241}\x{113b8}-\x{113c0}\x{113c2}"#
        + #"\x{113c5}\x{113c7}-\x{113ca}\x{113cc}-\x{113d0}\x{113d2}\x{113e1}\x{113e2}\x{11f00}\x{11f01}"#
        + #"\x{11f03}\x{11f34}-\x{11f3a}\x{11f3e}-\x{11f42}\x{11f5a}\x{13440}\x{13447}-\x{13455}"#
        + #"\x{1611e}-\x{1612f}\x{1e08f}\x{1e4ec}-\x{1e4ef}\x{1e5ee}\x{1e5ef}"#

    /// Numbers of Unicode 17, which the digits step of `tokenizers` knows beside the pattern's own.
    static let laterNumbers = #"\x{11de0}-\x{11de9}\x{16ff4}-\x{16ff6}"#

    private static let categories = [
        ("p{L}", #"\p{L}"# + letters), ("p{N}", #"\p{N}"# + numbers), ("p{M}", #"\p{M}"# + marks),
    ]

    /// Later letters, marks and digits: what of them Oniguruma's `\w` has. Numbers that are no
    /// digits are not among them.
    static let wordCharacters =
        letters + marks
        + #"\x{10d40}-\x{10d49}\x{116d0}-\x{116e3}\x{11bf0}-\x{11bf9}\x{11f50}-\x{11f59}\x{16130}-\x{16139}"#
        + #"\x{16d70}-\x{16d79}\x{1ccf0}-\x{1ccf9}\x{1e4f0}-\x{1e4f9}\x{1e5f1}-\x{1e5fa}"#

    /// A category that stood in a pattern.
    struct Category {
        /// As written between brackets.
        var members: String
        /// Whether all other characters are meant.
        var isNegated: Bool
    }

    /// Takes `p{L}`, `p{N}` or `p{M}`, or the same with `P` or `^`, from the front of `rest`.
    static func take(from rest: inout Substring.UnicodeScalarView) -> Category? {
        for (name, members) in categories {
            let letter = name.dropFirst(2)
            for (spelling, isNegated) in [
                (name, false), ("P{" + letter, true), ("p{^" + letter, true),
            ] where rest.starts(with: spelling.unicodeScalars) {
                rest.removeFirst(spelling.unicodeScalars.count)
                return Category(members: members, isNegated: isNegated)
            }
        }
        return nil
    }
}
