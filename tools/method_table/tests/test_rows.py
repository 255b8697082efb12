"""Rows of the table of methods, from facts as `graft inspect` gives them."""

import unittest

from lib import docs_block
from method_table import rows
from method_table.goldens import Golden


def golden(name, merges=True, any_weight=True, form="low rank", place="beside", **more):
    method = name.split("/")[0]
    facts = {"peft_type": method.upper(), "merges": merges, "any_weight": any_weight,
             "merge_obstacle": None if merges else "a reason", "beside_others": True,
             "adds_up_with_its_kind": True, "operators": [{"form": form, "place": place}]}
    return Golden("methods", method, name, "tiny", "PEFT 1", **{"facts": facts, **more})


class Rows(unittest.TestCase):
    def test_goldens_that_are_served_alike_share_a_row(self):
        table = rows.served([
            golden("a/one", attached=1e-5, merged=3e-5), golden("a/two", form="bias", attached=2e-5),
            golden("a/late", merges=False, attached=4e-6)], [])
        self.assertEqual([row[0] for row in table], ["`A`", "`A`"])
        self.assertEqual(table[0][1:4], ["low rank, bias", "yes", "any weight"])
        self.assertEqual(table[0][7:], ["2: one, two", "2e-05", "3e-05"])
        self.assertEqual(table[1][2], "no: a reason")
        self.assertEqual(table[1][-2:], ["4e-06", "–"])

    def test_a_place_is_named(self):
        self.assertEqual(rows.forms([golden("a/b", form="diagonal", place="input")]), "diagonal on the input")

    def test_refused_goldens_have_a_row_for_each_reason(self):
        refused = [golden("b/one", facts=None, reason="none here"), golden("a/one", facts=None, reason="why"),
                   golden("a/two", facts=None, reason="why")]
        self.assertEqual(rows.refused(refused), [["`a`", "why", "one, two"], ["`b`", "none here", "one"]])

    def test_a_method_without_a_row_is_found(self):
        methods = [{"peft_type": name} for name in ("A", "AB")]
        self.assertEqual(rows.without_rows(methods, rows.served([golden("ab/x")], [])), ["A"])

    def test_costs_are_a_range_over_settings(self):
        measured = [{"facts": {"peft_type": "A", "multiply_adds": part, "multiply_adds_of_layers": 100,
                               "memory_bytes": 7, "bytes_of_layers": 0}} for part in (5, 20)]
        self.assertEqual(rows.costs("A", measured), ["5–20 %", "–"])


class Blocks(unittest.TestCase):
    PAGE = "before\n<!-- x -->\nold\n<!-- end of x -->\nafter\n"

    def test_only_the_block_changes(self):
        page = docs_block.replaced(self.PAGE, "x", "new\n")
        self.assertEqual(page, self.PAGE.replace("old", "new"))
        self.assertEqual(docs_block.read(page, "x"), "new")

    def test_an_empty_block_can_be_filled(self):
        page = docs_block.replaced("<!-- x -->\n<!-- end of x -->", "x", "new")
        self.assertEqual(docs_block.read(page, "x"), "new")

    def test_a_page_without_marks_is_refused(self):
        with self.assertRaisesRegex(ValueError, "no block 'y'"):
            docs_block.replaced(self.PAGE, "y", "new")


if __name__ == "__main__":
    unittest.main()
