import CKernels
import Kernels
import Testing

extension InstructionSetSuites {
    struct InstructionSetTests {
        @Test func everyRunnableSetCanBeUsedAndTheStrongestIsTheLast() {
            defer { InstructionSet.use(.strongest) }
            #expect(InstructionSet.runnable.first == .portable)
            #expect(InstructionSet.runnable.last == .strongest)
            for set in InstructionSet.runnable {
                #expect(InstructionSet.use(set) == set)
                #expect(InstructionSet.current == set)
            }
        }

        @Test func aSetOfAnotherArchitectureIsNeverInUse() {
            defer { InstructionSet.use(.strongest) }
            for set in InstructionSet.allCases where !InstructionSet.runnable.contains(set) {
                #expect(InstructionSet.runnable.contains(InstructionSet.use(set)), "\(set)")
            }
        }

        @Test func theKernelsSpellEverySetTheSameWay() {
            let names = (0..<GK_LEVEL_COUNT.rawValue).map {
                String(cString: gk_level_name(gk_level($0)))
            }
            #expect(names == InstructionSet.allCases.map(\.rawValue))
        }
    }
}

/// What `GRAFT_CPU` is told when it can't be followed.
struct InstructionSetChoiceTests {
    @Test(arguments: [nil, "", "avx2"])
    func aChoiceThatIsFollowedIsNoComplaint(name: String?) {
        #expect(InstructionSet.complaint(aboutChoice: name, inUse: .avx2) == nil)
    }

    @Test func anUnknownNameIsAComplaintThatListsTheKnownOnes() {
        #expect(
            InstructionSet.complaint(aboutChoice: "AVX2", inUse: .avx512)
                == """
                GRAFT_CPU is 'AVX2', expected one of portable, avx2, avx512, avx512vnni, \
                avx512bf16, neon, neondot; avx512 is used
                """)
    }

    @Test func aSetThatTheProcessorLacksIsAComplaint() {
        #expect(
            InstructionSet.complaint(aboutChoice: "neondot", inUse: .neon)
                == "GRAFT_CPU is 'neondot', which this processor does not have; neon is used")
    }
}
