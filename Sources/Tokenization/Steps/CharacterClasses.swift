/// Members of Oniguruma's character classes, as they are written between PCRE2's brackets.
enum CharacterClasses {
    /// Unicode's White_Space.
    static let space =
        #"\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"#
    static let hexadecimal = "0-9a-fA-F"
    /// Alphabetic characters, marks, decimal digits and connectors: the letters in circles and
    /// squares are alphabetic though they are symbols.
    static let word =
        #"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{24b6}-\x{24e9}\x{1f130}-\x{1f149}\x{1f150}-\x{1f169}"#
        + #"\x{1f170}-\x{1f189}"# + UnicodeAdditions.wordCharacters
    /// Outside of brackets Oniguruma has a table of Latin-1 that also holds superscript digits and
    /// fractions.
    static let wordOutsideClasses = #"\x{b2}\x{b3}\x{b9}\x{bc}-\x{be}"#

    private static let notSpace =
        #"\x{0}-\x{8}\x{e}-\x{1f}\x{21}-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}"#
        + #"\x{200b}-\x{2027}\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{10ffff}"#
    private static let notHexadecimal =
        #"\x{0}-\x{2f}\x{3a}-\x{40}\x{47}-\x{60}\x{67}-\x{10ffff}"#

    /// The members of the class that a letter behind a backslash names; nil for other letters.
    static func members(of letter: Unicode.Scalar?) -> String? {
        switch letter {
        case "s": space
        case "S": notSpace
        case "w": word
        case "h": hexadecimal
        case "H": notHexadecimal
        default: nil
        }
    }
}
