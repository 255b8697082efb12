import Checkpoints
import StrictJSON
import Testing
import Tokenization

@Suite struct ChatTemplateTests {
    @Test func conversationsEqualTransformers() throws {
        for item in try #require(try Fixtures.json("conversations.json").arrayValue) {
            let fields = try #require(item.objectValue)
            let template = try ChatTemplate.recognise(
                try #require(fields["template"]?.stringValue), beginningText: "<s>", endText: "</s>"
            )
            let messages = try #require(fields["messages"]?.arrayValue).map { message in
                ChatMessage(
                    role: message.objectValue?["role"]?.stringValue ?? "",
                    content: message.objectValue?["content"]?.stringValue ?? "")
            }
            let rendered = try? template.render(messages)
            #expect(
                rendered == fields["rendered"]?.stringValue, "\(fields["name"] as Any) \(messages)")
        }
    }

    @Test func anUnknownTemplateNamesTheKnownOnes() {
        for text in [
            "{{ messages }}", "<|im_start|><|im_end|><think>",
            "<|user|><|end|><|assistant|>eos_token",
        ] {
            let error = #expect(throws: TokenizationError.self) {
                try ChatTemplate.recognise(text, beginningText: "", endText: "")
            }
            #expect(
                error?.description
                    == "This base's chat template is not recognised (known: ChatML, Llama 2, Llama 3, Gemma, "
                    + "Mistral, Zephyr); send 'prompt' instead of 'messages'.")
        }
    }

    @Test func rolesAndTheirOrderAreChecked() throws {
        let mistral = try ChatTemplate.recognise(
            "{{ '[INST] ' + message['content'] + ' [/INST]' }}", beginningText: "", endText: "")
        #expect(
            description(mistral, [])
                == "The Mistral chat template refuses the conversation: it has no messages.")
        #expect(
            description(mistral, ["wizard"])
                == "The Mistral chat template refuses the conversation: the role 'wizard' is not one of "
                + "system, user, assistant.")
        #expect(
            description(mistral, ["user", "user"])
                == "The Mistral chat template refuses the conversation: after an optional system message, "
                + "roles must alternate user, assistant, user, ….")
        #expect(
            description(mistral, ["system", "user"])
                == "The Mistral chat template refuses the conversation: it has no place for a system message."
        )
    }

    @Test func aBaseWithoutATemplateSaysSo() throws {
        let tokenizer = try Fixtures.tokenizer("gpt2.json")
        let error = #expect(throws: TokenizationError.self) {
            try tokenizer.encode(conversation: [ChatMessage(role: "user", content: "hi")])
        }
        #expect(
            error?.description
                == "This base has no chat template; send 'prompt' instead of 'messages'.")
        #expect(tokenizer.chatTemplate == nil)
    }

    @Test func aConversationBecomesTokensAndItsEndIsKnown() throws {
        let template =
            "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' "
            + "+ message['content'] + '<|im_end|>' }}{% endfor %}"
        let tokenizer = try Fixtures.tokenizer(
            "gpt2.json",
            ["chat_template": .string(template), "eos_token": .string("<|endoftext|>")])
        let tokens = try tokenizer.encode(conversation: [ChatMessage(role: "user", content: "hi")])
        #expect(tokens.first == tokenizer.token(spelled: "<|im_start|>"))
        let ends = ["<|im_end|>", "<|endoftext|>"].compactMap { tokenizer.token(spelled: $0) }
        #expect(tokenizer.endTokens == Set(ends))
    }

    @Test func aBeginningTokenIsNotDoubled() throws {
        let template = "{{ bos_token }}<start_of_turn>{{ message }}<end_of_turn>"
        let tokenizer = try Fixtures.tokenizer("sp-bpe.model", ["chat_template": .string(template)])
        let tokens = try tokenizer.encode(conversation: [ChatMessage(role: "user", content: "hi")])
        #expect(tokens.filter { $0 == tokenizer.beginningToken }.count == 1)
        #expect(tokens.first == tokenizer.beginningToken)
    }

    private func description(_ template: ChatTemplate, _ roles: [String]) -> String? {
        let messages = roles.map { ChatMessage(role: $0, content: "x") }
        return (#expect(throws: TokenizationError.self) { try template.render(messages) })?
            .description
    }
}
