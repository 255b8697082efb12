/// The chat templates that are known: SHA-256 of their texts, and what each writes.
///
/// Written by tools/goldens/chat_templates, which compares each with jinja2; not edited by hand.
enum KnownChatTemplates {
    /// Hashes, a line each, and behind them the format that templates of these hashes have, as
    /// JSON.
    static let table = #"""
        # chujiezheng/alpaca
        c809acafb5915672fe8db9b3970cd691a63c24f971e39b6ce03e8fec42ea6ff4
        f41470637aa51ee85750da1da8401afb91733032801357eec62b1406151e7bd6
        {"name": "Alpaca", "without_system": "\n{bos}\n\n    ", "system": ["\n{bos}", "\n\n\n\n    ", "trim"], "turns": {"assistant": ["    ### Response:\n", "{eos}\n\n\n\n    ", "trim"], "user": ["    ### Instruction:\n", "\n\n\n\n    ", "trim"]}, "generation": "### Response:\n\n", "alternates": true, "needs_beginning": true, "needs_end": true}
        # maywell/Synatra-Mixtral-8x7B
        e7a0ab198804eb445f35a2ac5e23e7d58390ab75f32b197a64aefa6a16f29305
        {"name": "Alpaca", "without_system": "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n", "system": ["Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n", "", "trim"], "turns": {"assistant": ["", "", "trim"], "system": ["", "", "trim"], "user": ["### Instruction:\n", "### Response:\n", "trim"]}, "generation": "", "needs_turn": true, "alternates": true}
        # Fixtures/conversations
        66edfb854931c933d3ac94f507626dd4fa2d5ca0a9b1036b11729d296a7392ac
        f91864928fccff928b3068ca784db6275e655e400ccbb28f61d92c0090caf3b3
        # axolotl/chatml
        58c1a1f04baa7adaeaba1f90267c3d57d9396f0c1f0129bdde9e76d3c6784af7
        d7b5b8c7b58f7a6bf868aa46a5f73ee976d7292f40fcb9c3e7a1defd8d235cfb
        # e2e.test
        153280e3ff55d19da1398bdb3914ee2a51b80429bfaedde11d7d216c39db80f3
        fcf7a096fe99a48fd9ad2b250bf9237e96e8f48bffec1c7ea4d3f225176cd40e
        # references/make_goldens
        5232972e170b18c392662ebce37daaee11169c6ab7c58b585c5496b600958b0d
        7107cfc6a6b081de7284b235487f423cea7cc29b5dc0557f7563701337468d7b
        {"name": "ChatML", "system": ["<|im_start|>system\n", "<|im_end|>\n"], "turns": {"assistant": ["<|im_start|>assistant\n", "<|im_end|>\n"], "system": ["<|im_start|>system\n", "<|im_end|>\n"], "tool": ["<|im_start|>tool\n", "<|im_end|>\n"], "user": ["<|im_start|>user\n", "<|im_end|>\n"]}, "generation": "<|im_start|>assistant\n"}
        # llama.cpp/LFM2-8B-A1B
        2294f49b51a0b9a1b0194add3f124237b5bd986599f43180eec49bba4de01365
        fef71028f7a6a1cfa2c6050132abca84dfe9e507982fcb58d0122e53eff8956c
        # trl/lfm2
        caaffb01e75aa5bd4c41ee37d6a6d56f33babcb8ea0f5a13201d925e15ade897
        cef187400d62a59507aab3a642ea9a8d2a2ef263562bc3430560e116945273cf
        # trl/lfm2_training
        93db6399088644721b5ae68de3581d41c51fda7908d770de3b99a1f4a05b7474
        fc29163f52185634af234b57c358b231f22e9a266f8ecba90627e47a03626103
        {"name": "ChatML", "opening": "{bos}", "system": ["<|im_start|>system\n", "<|im_end|>\n"], "turns": {"assistant": ["<|im_start|>assistant\n", "<|im_end|>\n"], "system": ["<|im_start|>system\n", "<|im_end|>\n"], "tool": ["<|im_start|>tool\n<|tool_response_start|>", "<|tool_response_end|><|im_end|>\n"], "user": ["<|im_start|>user\n", "<|im_end|>\n"]}, "generation": "<|im_start|>assistant\n", "omits_empty_system": true}
        # axolotl/nemotron_h
        2515bf73b2d100a91d8633bb0dcb77188c6576c991cc628f01a3d1d6517110d0
        d93f6d8d1c5373b18535af6d59eba63ce6c65e6e0753edafcd37d1183790ff94
        # trl/qwen3_vl
        9d879ef91075acbfb2df7e441fd79d60bacfca989cf6d511d2af45c681e94f10
        bbdda5c33c0da787457fe3d57639395bfc04ed65325f12da402d79d45605b707
        # trl/qwen3_vl_training
        7a7df393d129356097ff2c65b7647e4779e3550583aa1e46eaaac8a87f35816b
        f0b310bf8e64c9dc033756ddd5a0fad3903cc8a0a90ee83aee58d7e4ba313956
        {"name": "ChatML", "system": ["<|im_start|>system\n", "<|im_end|>\n"], "turns": {"assistant": ["<|im_start|>assistant\n", "<|im_end|>\n"], "user": ["<|im_start|>user\n", "<|im_end|>\n"]}, "generation": "<|im_start|>assistant\n"}
        # axolotl/qwen_25
        55b2f4a26ac9ee719330a61a0c39d9e538b0e9322212f048326318cff4f8674a
        a18cc698dd45623eb707279d08e66f7bb8d76afc89ead84016b88487b395b5cc
        # chujiezheng/qwen2.5-instruct
        2ca60d7a3da008867b8549bfe4d30d182c7c235b930f6c5f807b7adc4d98d9f8
        b1d2bb00d59cae00a80c2b526765a9cc502bc5a138a4a84b6cdea71b3e631df1
        # trl/qwen2_5_training
        494b8d6b431c48ad5e15b4ca8ca496d3becfedbb962719e227a2fc1c473f6bd2
        f3714f7117c9d447db80ceb3fcb67a64ba08d149dd4434fe53add9c7f1dd344b
        {"name": "ChatML", "without_system": "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n", "system": ["<|im_start|>system\n", "<|im_end|>\n"], "turns": {"assistant": ["<|im_start|>assistant\n", "<|im_end|>\n"], "system": ["<|im_start|>system\n", "<|im_end|>\n"], "user": ["<|im_start|>user\n", "<|im_end|>\n"]}, "generation": "<|im_start|>assistant\n"}
        # llama.cpp/Qwen3-Coder
        eae48a3307931acb10a6fce475a36b711709672ea79ee1a9bc52f083d8b0a2af
        ec6817963b7e9632f18425d8d91cc65d2563c5fb67f20ee152402449bab92584
        # trl/qwen3_instruct_2507
        64f85b198065d0fba2a81f37e10ed68161ce2c19a754c7100e67e0ca2ee9c326
        aa39eed4cbfdd57aeaab518e83d06945f00df6afefba6eb985b6b85060cade95
        # trl/qwen3_instruct_2507_training
        48e17aa3caf5bf20075b6e7366864ee943e00b6f0752aadfe8b670c2ab0291a5
        86310f24d67e9dac92d2933afb5f929295329a4830917711627e95d7543c528d
        {"name": "ChatML", "system": ["<|im_start|>system\n", "<|im_end|>\n"], "turns": {"assistant": ["<|im_start|>assistant\n", "<|im_end|>\n"], "system": ["<|im_start|>system\n", "<|im_end|>\n"], "user": ["<|im_start|>user\n", "<|im_end|>\n"]}, "generation": "<|im_start|>assistant\n"}
        # axolotl/qwen2_vl
        a0bc6f6fc7a29a80017a433e8f03a1cc1236e838a944a2d034295a60c4f2fddb
        # trl/qwen2_5_vl_training
        31c85932a6d8826f0fe8d52b81767eba6b869128b0a7c7503d1e7baaad4e8043
        931c9132e1cb848bdb27f7761f4d923ff4d4d3bea0dedeb15b6f2a4d73784571
        {"name": "ChatML", "without_system": "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n", "system": ["<|im_start|>system\n", "<|im_end|>\n"], "turns": {"assistant": ["<|im_start|>assistant\n", "<|im_end|>\n"], "system": ["<|im_start|>system\n", "<|im_end|>\n"], "tool": ["<|im_start|>tool\n", "<|im_end|>\n"], "user": ["<|im_start|>user\n", "<|im_end|>\n"]}, "generation": "<|im_start|>assistant\n"}
        # MadeAgents/Hammer2.1
        0254937901f084d545e18931d7fb449f97c3dfd665f1bdd0af6f5b3fb3dd3312
        ce4883b35d1420ba6fbfd0ecb54cfcbc0d525fc473a2b8c9cc4167254f70fe25
        {"name": "ChatML", "without_system": "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n", "system": ["<|im_start|>system\n", "<|im_end|>\n"], "turns": {"assistant": ["<|im_start|>assistant\n", "<|im_end|>\n"], "tool": ["<|im_start|>tool\n", "<|im_end|>\n"], "user": ["<|im_start|>user\n", "<|im_end|>\n"]}, "generation": "<|im_start|>assistant\n", "needs_turn": true}
        # llama.cpp/LFM2.5-Instruct
        03730f428d2d01c37c9c9756476bb83aac31251bbb6b3fea145ee55858b474d0
        f05bf4b967dc993bdc7a2fe6e43759ee218eb0eb340d68b063e1c4f8ad148176
        {"name": "ChatML", "opening": "{bos}", "system": ["<|im_start|>system\n", "<|im_end|>\n"], "turns": {"assistant": ["<|im_start|>assistant\n", "<|im_end|>\n"], "system": ["<|im_start|>system\n", "<|im_end|>\n"], "tool": ["<|im_start|>tool\n", "<|im_end|>\n"], "user": ["<|im_start|>user\n", "<|im_end|>\n"]}, "generation": "<|im_start|>assistant\n", "omits_empty_system": true}
        # unsloth/chat_templates
        27841847cf8aa3fa0c9c80b6ce881ce565015a4f01b2d8ea142e1442a70d3c94
        3e3e4ccd01b95ae100e861475e34dd42d044d15858f876bb73fe2934fe1603db
        {"name": "ChatML", "system": ["<|im_start|>system\n", "<|im_end|>\n"], "turns": {"assistant": ["<|im_start|>assistant\n", "<|im_end|>\n"], "system": ["<|im_start|>system\n", "<|im_end|>\n"], "tool": ["<|im_start|>system\n", "<|im_end|>\n"], "user": ["<|im_start|>user\n", "<|im_end|>\n"]}, "generation": "<|im_start|>assistant\n"}
        # HuggingFaceH4/zephyr-7b-gemma-v0.1
        3ce2fe9753f9a77a601f55dfcab7cd46fbc91324aae0f78ca38d194a4eaef8d5
        5031bbcbeaaa53528ac13612947642d82e9770b85caffed2835b4f129a91606a
        {"name": "ChatML", "opening": "{bos}", "system": ["<|im_start|>system\n", "<|im_end|>\n"], "turns": {"assistant": ["<|im_start|>assistant\n", "<|im_end|>\n"], "system": ["<|im_start|>system\n", "<|im_end|>\n"], "tool": ["<|im_start|>tool\n", "<|im_end|>\n"], "user": ["<|im_start|>user\n", "<|im_end|>\n"]}, "generation": "<|im_start|>assistant\n", "alternates": true}
        # llama.cpp/MiMo-VL
        5e7bd8767a29dc664e4a3d94d78ca8067c67d9c19d3554355c0a57f15533b04d
        e7fa3f870aabfc1c9cadf448926fee2bc3e0e4c2546edb2b7a8b933313607057
        {"name": "ChatML", "without_system": "<|im_start|>system\nYou are MiMo, an AI assistant developed by Xiaomi.<|im_end|>\n", "system": ["<|im_start|>system\n", "<|im_end|>\n"], "turns": {"assistant": ["<|im_start|>assistant\n", "<|im_end|>\n"], "system": ["<|im_start|>system\n", "<|im_end|>\n"], "user": ["<|im_start|>user\n", "<|im_end|>\n"]}, "generation": "<|im_start|>assistant\n"}
        # unsloth/chat_templates
        7813586871fea5ae831748a592d3b08d74dd46998a50c880da5aabd972f6b07b
        b3d9ec0b4c4ac53f30a725ddacf498c536121c4b28e3ff18914757ccb91b2071
        {"name": "ChatML", "without_system": "\n", "system": ["\n<|im_start|>system\n", "<|im_end|>\n"], "turns": {"assistant": ["<|im_start|>assistant\n", "<|im_end|>\n"], "system": ["<|im_start|>system\n", "<|im_end|>\n"], "tool": ["<|im_start|>tool\n", "<|im_end|>\n"], "user": ["<|im_start|>user\n", "<|im_end|>\n"]}, "generation": "<|im_start|>assistant\n"}
        # Qwen/Qwen1.5-72B-Chat
        7a2fad4301dcce93b13747dfd6ee5fa696dc12de86b85b86344bea8f649022b3
        9161685725c9f49b4f36d8f446bcdb801a68ba70f91764dffccafcddcb69cfe9
        {"name": "ChatML", "without_system": "<|im_start|>system\nYou are a helpful assistant<|im_end|>\n", "system": ["<|im_start|>system\n", "<|im_end|>\n"], "turns": {"assistant": ["", "<|im_end|>\n"], "system": ["<|im_start|>system\n", "<|im_end|>\n"], "tool": ["<|im_start|>tool\n", "<|im_end|>\n"], "user": ["<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"]}, "generation": "", "needs_turn": true, "alternates": true}
        # chujiezheng/chatml
        81a800d52014500ed43923f335cdf7a40c6cb2f54ce368ba39eeba97e6d908cc
        cf5e410dcaea17f84c9c2a2a619f4bb0f9bccedf98c82fc33d24922be5f48d07
        {"name": "ChatML", "without_system": "\n{bos}\n\n    ", "system": ["\n{bos}\n\n    <|im_start|>system\n", "<|im_end|>\n\n\n    ", "trim"], "turns": {"assistant": ["<|im_start|>assistant\n", "<|im_end|>\n\n\n    ", "trim"], "user": ["<|im_start|>user\n", "<|im_end|>\n\n\n    ", "trim"]}, "generation": "<|im_start|>assistant\n\n", "alternates": true}
        # openbmb/MiniCPM3-4B
        84ec5c83ceb8e80384e8ef78c216c9ed5cd6c3b74dbdcee70b536d3568593c2c
        dbd75fe18b14711fa5968600a6f5c974d7d3e63e75fe163ecb99a1e5f94c38c9
        {"name": "ChatML", "system": ["<|im_start|>system\n", "<|im_end|>\n"], "turns": {"assistant": ["<|im_start|>assistant\n", "<|im_end|>\n"], "system": ["<|im_start|>system\n", "<|im_end|>\n"], "tool": ["<|im_start|>tool\n", "<|im_end|>\n"], "user": ["<|im_start|>user\n", "<|im_end|>\n"]}, "generation": "<|im_start|>assistant\n", "omits_empty_system": true}
        # Fixtures/conversations
        872be49dbb638044ad01b60388f48d469ff2980e5f0dccdc22ec907db54d0788
        de9cde7d1b0ca0cc87459a6673e0d12fb89c070bdb24e4a30b6e4d187b226221
        {"name": "ChatML", "without_system": "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n", "system": ["<|im_start|>system\n", "<|im_end|>\n"], "turns": {"assistant": ["<|im_start|>assistant\n", "<|im_end|>\n"], "system": ["<|im_start|>system\n", "<|im_end|>\n"], "tool": ["<|im_start|>tool\n", "<|im_end|>\n"], "user": ["<|im_start|>user\n", "<|im_end|>\n"]}, "generation": "<|im_start|>assistant\n"}
        # phi-4
        a41fb8727c4f1e722e53cb1ea935038a1177b8bdf09387f3b048f9da5255ef3e
        {"name": "ChatML", "system": ["<|im_start|>system<|im_sep|>", "<|im_end|>"], "turns": {"assistant": ["", "<|im_end|>"], "system": ["<|im_start|>system<|im_sep|>", "<|im_end|>"], "user": ["<|im_start|>user<|im_sep|>", "<|im_end|><|im_start|>assistant<|im_sep|>"]}, "generation": ""}
        # unsloth/chat_templates
        fe4120415a3858b873955c92ce3a103a95bc97c2cb00b72e62659aaf0f891ee5
        {"name": "ChatML", "system": ["<|im_start|>system<|im_sep|>", "<|im_end|>"], "turns": {"assistant": ["<|im_start|>assistant<|im_sep|>", "<|im_end|>"], "system": ["<|im_start|>system<|im_sep|>", "<|im_end|>"], "user": ["<|im_start|>user<|im_sep|>", "<|im_end|>"]}, "generation": "<|im_start|>assistant<|im_sep|>"}
        # axolotl/aya
        9860a4e2749965c898e0a1b290a4fdb45c30f81b71d12ef9f5f24b3182b85386
        # axolotl/cohere
        9db2cf47ce03bfd0aab6ec59942503714fa0372f09f7e1d54cbcd71a1110b863
        # trl/cohere
        90c33aee14aa2a226127516d48ee9184c9b90745d4a04c484621ec2e82fb712c
        # trl/cohere_training
        5f9718bfe3a1945366ea792b9714e42aa5849f1d41a1093c2ce4da4a77383996
        {"name": "Command R", "opening": "{bos}", "system": ["<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>", "<|END_OF_TURN_TOKEN|>"], "turns": {"assistant": ["<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>", "<|END_OF_TURN_TOKEN|>", "trim"], "user": ["<|START_OF_TURN_TOKEN|><|USER_TOKEN|>", "<|END_OF_TURN_TOKEN|>", "trim"]}, "generation": "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>", "alternates": true}
        # Fixtures/conversations
        7c45143cc351ddcbfc1b689f64b9ef6d33b660288f488bb2685e1141cfacdf25
        f79a5fe8f3f70f016d02a7f239a6643f00f8970485804bdce116dc971a5d291e
        # axolotl/gemma3
        796f2cbea8e391803f5b96c89a3ce79b66912a790853f1128853a5864a8f3489
        85f071443875be5597f6feb2abbd7167601689202c82aa67ac54659ebbd278b3
        # axolotl/gemma3n
        2349c7a928763f8743f20be11f7d88ae9ac212d777e42729ce73fdb6dfa12627
        3c69d66c91b73b627f50986dc549bdbd5aac93df040d488d126a527ea1014901
        # trl/gemma3
        86327804b5430b642274fe55ba95199e91cf7eca7b1e1240ca5469f23839e223
        8d9e3a3c114fb2053ec500184677af4f7e5f8ec2582443cd535834e68b3ade29
        # trl/gemma3_training
        2c389091e119084530ba60bf1f3334c5960b48b9f038e2d75ffdff1d125aaf4d
        4ee9101e19525b215adfe3039d728537ecb9285e2b96d317f41c35d9ff0b543f
        f168271feb9abc530eeaf742fa0e6aeeec7266ade5370f0cd035c9ba7a0b6f4e
        # unsloth/chat_templates
        0ca3480a7b5d7df18dcddac8cfe0de8d2de86ca7da286e4e11cbd15a7fdd9a39
        3ff5ef9073d6921dc33cd9217b353eb0bd88f09bea6421b5df1451a325b23c5e
        9cae32b35b45454e9bd3673b4011701b77d38843622ab9b6e3f930bc503cf28a
        c2b25d6acf28fe63b8790bb6784939e64a171054bec7a248fd4401291c5571d0
        {"name": "Gemma", "opening": "{bos}", "system_in_user": ["", "\n\n"], "place": "firstTurn", "turns": {"assistant": ["<start_of_turn>model\n", "<end_of_turn>\n", "trim"], "user": ["<start_of_turn>user\n", "<end_of_turn>\n", "trim"]}, "generation": "<start_of_turn>model\n", "alternates": true}
        # Fixtures/conversations
        6f4baa1f44f92def358c4f2c8980e2d97cf8c04479c7d9dba018f4d172214d33
        b06c21d12b6c2674e5a27b3e1a53ef59439a7a27af7b3a483656b71dd476c4f5
        # axolotl/gemma
        6d57c02ed240611ca3bbae2d66e7325fccd2c0ec71c45fe79c62bf31f643ee0b
        e1a61cc2ddef70f401152d1a83cff15c5fd54a014501d63e09f7da3c70640c77
        # llama.cpp/google-gemma-2-2b-it
        1e51d5c0fec2f83da1953fb850b7b532b7da02d0dc35f9201e671e0b9a35a123
        ecd6ae513fe103f0eb62e8ab5bfa8d0fe45c1074fa398b089c93a7e70c15cfd6
        # trl/gemma_training
        7f78db73f7fc479bbd3c481cd99a8e85970dbac077043f350dddc17d77b0405b
        ee06c456c3a7f9b11598f2ccb8ac64c248d962e17cdc53ff414e6427051d3847
        {"name": "Gemma", "opening": "{bos}", "turns": {"assistant": ["<start_of_turn>model\n", "<end_of_turn>\n", "trim"], "user": ["<start_of_turn>user\n", "<end_of_turn>\n", "trim"]}, "generation": "<start_of_turn>model\n", "alternates": true}
        # unsloth/chat_templates
        07e6d8d88d7254e0b98337825b6445a5da9ee093ab5ea967e69a98a7ce070890
        f736fb62056f7b06189f63a2627afee9b547515722886db6734dcdb4008ce3bf
        {"name": "Gemma", "opening": "{bos}", "system_in_user": ["", " ", "trim"], "place": "firstTurn", "turns": {"assistant": ["<start_of_turn>model\n", "<end_of_turn>\n", "trim"], "user": ["<start_of_turn>user\n", "<end_of_turn>\n", "trim"]}, "generation": "<start_of_turn>model\n", "alternates": true}
        # google/gemma-7b-it
        3919b9309d8949ee8f4b710215987700f87dc5bb0e87bf24dd39189ec65e3eec
        3c050259279da4341947d5f012aadc5975af71c235e71ef7e520531aaec17a86
        {"name": "Gemma", "turns": {"assistant": ["<start_of_turn>model\n", "<end_of_turn>\n", "trim"], "user": ["<start_of_turn>user\n", "<end_of_turn>\n", "trim"]}, "generation": "<start_of_turn>model\n", "alternates": true}
        # ibm-granite/granite-3.x (tool call)
        477f65b15483f86ea734a39e015b9aa643e2cee41d12191049fc51d836520b04
        9ea0574e7ec14583cef897f100c8c08143389b096b92b977ac6b08ea475083f1
        # ibm-granite/granite-4.0 (tool call)
        092025c8aaab7f92729be15b529af446fe44509c642c62935fdd0571983a4650
        1ab801365bb45939bc9177450dd4d08832146cc20789829bb94176d5c8ca54c7
        # ibm-granite/granite-4.1 (tool call)
        74d88206c9516124086cf7177d1e8741f5b296e6463574583d987da7dcdc6591
        a05ac23f3cb5a29a4de9f7d3488fb1d9c458618656c55deffbffeeb0edd9b299
        {"name": "Granite", "system": ["<|start_of_role|>system<|end_of_role|>", "<|end_of_text|>\n"], "turns": {"assistant": ["<|start_of_role|>assistant<|end_of_role|>", "<|end_of_text|>\n"], "system": ["<|start_of_role|>system<|end_of_role|>", "<|end_of_text|>\n"], "tool": ["<|start_of_role|>tool<|end_of_role|>", "<|end_of_text|>\n"], "user": ["<|start_of_role|>user<|end_of_role|>", "<|end_of_text|>\n"]}, "generation": "<|start_of_role|>assistant<|end_of_role|>"}
        # chujiezheng/granite-3.0-instruct
        d7f1fa46794895c5fbb06265fb87e938a232c498d01d815ac9a8752c0583f9b6
        f92fee38b5507bb625c9affd69e1be2d7bdae6ecb5bcc54f5e66d974711fce8c
        # ibm-granite/granite-3.0-8b-instruct
        09d68eeb5c0eaa551adea6cc088a05c7298966f395f203126e76b74f5a77a8ff
        6e8b40fae55629e3d797462ed7c58f63c41ce88ca0976ae9ca51a45f96c2a141
        {"name": "Granite", "system": ["<|start_of_role|>system<|end_of_role|>", "<|end_of_text|>\n"], "turns": {"assistant": ["<|start_of_role|>assistant<|end_of_role|>", "<|end_of_text|>\n"], "system": ["<|start_of_role|>system<|end_of_role|>", "<|end_of_text|>\n"], "user": ["<|start_of_role|>user<|end_of_role|>", "<|end_of_text|>\n"]}, "generation": "<|start_of_role|>assistant<|end_of_role|>"}
        # llama.cpp/ibm-granite-granite-4.1
        35bc858f81d6bc0b257870923e322952e96c6d250919d95e1574585089c8e7ab
        fed2756d2d24e127b951dcf139d0b03ab7db8ef23a456128ebc9c2db4901d476
        {"name": "Granite", "system": ["<|start_of_role|>system<|end_of_role|>", "<|end_of_text|>\n"], "turns": {"assistant": ["<|start_of_role|>assistant<|end_of_role|>", "<|end_of_text|>\n"], "system": ["<|start_of_role|>system<|end_of_role|>", "<|end_of_text|>\n"], "user": ["<|start_of_role|>user<|end_of_role|>", "<|end_of_text|>\n"]}, "generation": "<|start_of_role|>assistant<|end_of_role|>", "omits_empty_system": true}
        # Fixtures/conversations
        241c5918b08210993bb5ccd88968d2cfc77b8ad1cab319f555cb7a6643e2a702
        3e1fa3f8a273eaafdeceac754a7bbef170ce8a8647b5a30eb02146c2d6effeff
        # e2e.test
        5dc3ab76a98f3889ad7f7af42d81259e2600c751b3fab807c1d08e9768e9d0a1
        be7f8f15473ed3f98fd513d422daef97d1b101e6d3aeac3904e3a15f7807c07b
        {"name": "Llama 2", "system_in_user": ["<<SYS>>\n", "\n<</SYS>>\n\n"], "place": "firstTurn", "turns": {"assistant": [" ", " {eos}", "trim"], "user": ["{bos}[INST] ", " [/INST]", "trim"]}, "generation": "", "trims_system_with_user": true, "alternates": true, "needs_beginning": true, "needs_end": true}
        # Fixtures/conversations
        7e72d9b972d23a74432a2042ee2b4b1fd6ae7f13e760aaefbef3fc8eb1fafba5
        dd384c0d2a92b6bcabfdf35cbc3210f8d5b5fcc15e11ee321e1d1f32ef1ce5f0
        # Llama-3
        b48c47f6443892716176eb200bf4ef108f64e06ca26ed0fa8ebc0a4b3992fcb2
        b75e17085cfc511ead6d4fab84b86ab3c168ec7a332568a91d0889cdcba94394
        # axolotl/llama3
        68da1281c0c8bd7dd19f04fc1e8435b63858cb511819beafc270b70c8821a9bf
        f59e1e6f65a52842cfce136e4e0d83e2c83efcddafa3174cf8b64d40d4054a0a
        # trl/llama3
        4f46ecd43418f216df8c26936c60e5d04bcc81db47db5d86fbe889f64212dd4c
        ba03a121d097859c7b5b9cd03af99aafe95275210d2876f642ad9929a150f122
        {"name": "Llama 3", "opening": "{bos}", "system": ["<|start_header_id|>system<|end_header_id|>\n\n", "<|eot_id|>", "trim"], "turns": {"assistant": ["<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>", "trim"], "system": ["<|start_header_id|>system<|end_header_id|>\n\n", "<|eot_id|>", "trim"], "tool": ["<|start_header_id|>tool<|end_header_id|>\n\n", "<|eot_id|>", "trim"], "user": ["<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>", "trim"]}, "generation": "<|start_header_id|>assistant<|end_header_id|>\n\n", "needs_beginning": true}
        # axolotl/llama3_2_vision
        0de720bdfabc9336eaac5c944726bc8ddc925bd0f058df5bc00a25fe33561def
        c696fd35e08e8bcd575e82c6311b16793e3bcef2e9990329f1a9f1ccd31d18e2
        # meta-llama/Llama-3.2-11B-Vision-Instruct
        3c5f388db79db1ea497ffb38642655d8aa01b04b8091458a51ca09623d80d0d7
        7567ed01a9356b9b48df10bfa9d0c4a890affa75a63e56674330f78489637ec9
        {"name": "Llama 3", "opening": "{bos}", "without_system": "<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: {today}\n\n<|eot_id|>", "system": ["<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: {today}\n\n", "<|eot_id|>", "trim"], "turns": {"assistant": ["<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>"], "system": ["<|start_header_id|>system<|end_header_id|>\n\n", "<|eot_id|>"], "user": ["<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>"]}, "generation": "<|start_header_id|>assistant<|end_header_id|>\n\n"}
        # trl/llama3_training
        a84b5cf6fad286a6750f95f195b46b2dcc951bccee80961cbf802784f98aa787
        bc213ef03ac49e40c58b11933b109235e63d25f13e7cd4df966c577966d2345e
        # unsloth/chat_templates
        99195f2f7dc1344662663119562b46fc067034c0ea660cf1cab333617c7290c2
        e460249284c8bba3457f62eb73d5459096d5ff58d5ad75630e370bdf2cab0347
        {"name": "Llama 3", "opening": "{bos}", "system": ["<|start_header_id|>system<|end_header_id|>\n\n", "<|eot_id|>", "trim"], "turns": {"assistant": ["<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>", "trim"], "system": ["<|start_header_id|>system<|end_header_id|>\n\n", "<|eot_id|>", "trim"], "tool": ["<|start_header_id|>tool<|end_header_id|>\n\n", "<|eot_id|>", "trim"], "user": ["<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>", "trim"]}, "generation": "<|start_header_id|>assistant<|end_header_id|>\n\n"}
        # llama.cpp/meta-llama-Llama-3.2-3B-Instruct
        0cac23ffd2b33ff7b039e17ee143a080053318146fdc788f1d49ed4745aa8683
        d82792f95932f1c9cef5c4bd992f171225e3bf8c7b609b4557c9e1ec96be819f
        {"name": "Llama 3", "opening": "{bos}", "without_system": "<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: {today}\n\n<|eot_id|>", "system": ["<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: {today}\n\n", "<|eot_id|>", "trim"], "turns": {"assistant": ["<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>", "trim"], "system": ["<|start_header_id|>system<|end_header_id|>\n\n", "<|eot_id|>", "trim"], "user": ["<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>", "trim"]}, "generation": "<|start_header_id|>assistant<|end_header_id|>\n\n"}
        # Fixtures/conversations
        3de9e205921360f788cedb29cffe6a7683b0181682a9ecd7958e82b5424acf59
        a6276d158510956c3ad75fd79f3e7bcc1b054408051b7938719a2f442ab038cb
        {"name": "Llama 3", "opening": "{bos}", "without_system": "<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n<|eot_id|>", "system": ["<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n", "<|eot_id|>", "trim"], "turns": {"assistant": ["<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>", "trim"], "system": ["<|start_header_id|>system<|end_header_id|>\n\n", "<|eot_id|>", "trim"], "tool": ["<|start_header_id|>tool<|end_header_id|>\n\n", "<|eot_id|>", "trim"], "user": ["<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>", "trim"]}, "generation": "<|start_header_id|>assistant<|end_header_id|>\n\n"}
        # chujiezheng/llama-3-instruct
        7c2362f356f08d755dd702ffda7d1cc43bccf5b35855419be23ffeadf33541c8
        e64b9d1edb772d59e4cc4f692ba4a33be1d4382ec4890c6bf7cdbb46c99dff21
        {"name": "Llama 3", "without_system": "\n{bos}\n\n    ", "system": ["\n{bos}\n\n    <|start_header_id|>system<|end_header_id|>\n\n", "<|eot_id|>\n\n    ", "trim"], "turns": {"assistant": ["<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>\n\n    ", "trim"], "user": ["<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>\n\n    ", "trim"]}, "generation": "<|start_header_id|>assistant<|end_header_id|>\n\n\n", "alternates": true}
        # meta-llama/Llama-3.1-8B-Instruct
        93c0e9aa3629bbd77e68dbc0f5621f6e6b23aa8d74b932595cdb8d64684526d7
        99799a835a31e1d33c4a9c7ee8a0de3923b291a95155ed6dc8efcbd0fe1d0238
        {"name": "Llama 3", "opening": "{bos}", "without_system": "<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n<|eot_id|>", "system": ["<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n", "<|eot_id|>", "trim"], "turns": {"assistant": ["<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>", "trim"], "system": ["<|start_header_id|>system<|end_header_id|>\n\n", "<|eot_id|>", "trim"], "user": ["<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>", "trim"]}, "generation": "<|start_header_id|>assistant<|end_header_id|>\n\n"}
        # axolotl/mistral_v3_tekken
        1143a43fde9f42bfac7f6b5221ca1d188f3517a26cf6ac7ed518d11488faeff6
        3c87446808f9120d5c8ea227ed83524db7bba3c99c63f4e9e79f01ea103881be
        # axolotl/pixtral
        0681bf40ef3a60f870388489f07053375a43e057ca473686420ab1143bd1c99d
        2f7c55cb19ff3f84d09ccdf0b08766ac9be31623d7f0233ed36af748b8a4a707
        # llama.cpp/mistralai-Mistral-Nemo-Instruct-2407
        1127255163dd25a2fd472f9901035aa9e78dc77ca33efdd010f5c8ea87e5d436
        e7deee034838db2bfc7487788a3013d8a307ab69f72f3c54a85f06fd76007d4e
        # mistralai/Mistral-Nemo-Instruct-2407
        962c60d6f78274641b82606abbb59b4c5b1163fc7b9b8c5a0e2dcf70a55a79df
        c7a94f505398612940c13ee95070d0d152bcb7b4afbd74a06ff148a82a02851c
        {"name": "Mistral", "opening": "{bos}", "system_in_user": ["", "\n\n"], "place": "lastTurn", "turns": {"assistant": ["", "{eos}"], "user": ["[INST]", "[/INST]"]}, "generation": "", "alternates": true, "needs_end": true}
        # Fixtures/conversations
        5a8415811908e52429e1677303fa43e29660480742f0e07ccc0f13075983f2ae
        5d2dc12f2cd209eb7f32cf7b4323b3d46aff42d7f4ee0a738853ae42c44b2fb7
        # Mistral-Large-Instruct-2407 (mistralai 'v3' template; modified to have system prompt at start)
        9074ed36d7503f0f63bd70ef4a0db1e12ec90718aef446404917f5ee3216e2f3
        cafb64e0e9e5fd2503054b3479593fae39cbdfd52338ce8af9bb4664a8eb05bd
        # axolotl/mistral_v2v3
        068f88e03b043c38aeb261851327a82ca01b00d00025f0897d61eaa8b5802197
        76824445ead161c5bf886e3f4d683007ef79f1b508d41f16cafaecc9ceab0361
        {"name": "Mistral", "opening": "{bos}", "system_in_user": ["", "\n\n"], "place": "lastTurn", "turns": {"assistant": [" ", "{eos}", "trim"], "user": ["[INST] ", "[/INST]"]}, "generation": "", "alternates": true, "needs_end": true}
        # Fixtures/conversations
        2d9023b1e6c9b4baeac266492c6acdd13619d1506ca049cd242774d62fe155aa
        90ed08f75d4e5955b22ad25b121bf3401e16b13d726d64901720e09921bf47c8
        # axolotl/mistral_v1
        5872a862e5053d8e46320488feadd05b54396775e9173a930ce339e7439ca9d5
        fe58a2aa0f864d151ec3337e87eff30427da3004fb792e17740d0d50e151b13e
        # mistralai/Mistral-7B-Instruct-v0.2 (mistralai 'v1' template with a system prompt)
        1c6594f8393552ef16bbf3ddecb67d8258fb8d66339a1a092a8f8496061f02d3
        bbc58aad99454df60138be9530c9601a0adfe3d8932cda975e1f10b2410ddc51
        {"name": "Mistral", "opening": "{bos}", "system_in_user": ["", "\n\n"], "place": "firstTurn", "turns": {"assistant": [" ", "{eos}"], "user": [" [INST] ", " [/INST]"]}, "generation": "", "alternates": true, "needs_end": true}
        # chujiezheng/mistral-instruct
        4d802e07c8dbc3eaca1c547279aa42ceb81bec030a15eb239d4927fe79951f0e
        66cab0fd568c720ac6e014e6f883ab4c6b8b76478cdb5f3c7bc367d27bcaff99
        {"name": "Mistral", "without_system": "\n{bos}\n", "system": ["\n{bos}", "\n\n\n", "trim"], "turns": {"assistant": ["\n         ", "{eos}\n", "trim"], "user": ["\n        [INST] ", " [/INST]\n", "trim"]}, "generation": "", "alternates": true, "needs_beginning": true, "needs_end": true}
        # Fixtures/conversations
        5c71523bc906401648f28f46a66ae5b4a7b5e14d777210214070e3259b8a736e
        # TheBloke/Mistral-7B-Instruct-v0.1-GPTQ
        7e995b379ec01747807246483647cd99030abf331653f1119e16d7ac041a3495
        {"name": "Mistral", "opening": "{bos}", "turns": {"assistant": ["", "{eos} "], "user": ["[INST] ", " [/INST]"]}, "generation": "", "alternates": true, "needs_end": true}
        # mistralai/Mixtral-8x7B-Instruct-v0.1
        26a59556925c987317ce5291811ba3b7f32ec4c647c400c6cc7e3a9993007ba7
        {"name": "Mistral", "opening": "{bos}", "turns": {"assistant": ["", "{eos}"], "user": ["[INST] ", " [/INST]"]}, "generation": "", "alternates": true, "needs_end": true}
        # mistralai/Mistral-Large-Instruct-2411 (mistralai 'v7' template)
        3c4ad5fa60dd8c7ccdf82fa4225864c903e107728fcaf859fa6052cb80c92ee9
        {"name": "Mistral", "opening": "{bos}", "system": ["[SYSTEM_PROMPT] ", "[/SYSTEM_PROMPT]"], "turns": {"assistant": [" ", "{eos}"], "system": ["[SYSTEM_PROMPT] ", "[/SYSTEM_PROMPT]"], "user": ["[INST] ", "[/INST]"]}, "generation": "", "needs_end": true}
        # CISCai/Mistral-7B-Instruct-v0.3-SOTA-GGUF
        736dba5c1d552a0ddde5164a64792bd2a3639af3b78dff7917c2dd5d4d48e43a
        {"name": "Mistral", "opening": "{bos}", "turns": {"assistant": ["", "{eos}"], "user": ["[INST] ", "[/INST]"]}, "generation": ""}
        # CohereForAI/c4ai-command-r-v01
        af6311f48482378c1163ba7183c0cefa317fadaa6e0172a167c68d6e238368a8
        {"name": "Mistral", "opening": "{bos}", "turns": {"assistant": [" ", " {eos}"], "user": [" [INST] ", " [/INST]"]}, "generation": "", "needs_end": true}
        # ericzzz/falcon-rw-1b-chat
        ceae4b6352781914a2f0e53acfc53aa195b054a4f35c435e56228cd8c7090ad3
        {"name": "Mistral", "system": ["[SYS] ", " ", "trim"], "turns": {"assistant": [" [RESP] ", "{eos}"], "system": ["[SYS] ", " ", "trim"], "user": ["[INST] ", "", "trim"]}, "generation": " [RESP] ", "needs_turn": true, "alternates": true, "needs_end": true}
        # unsloth/chat_templates
        e5ca69487bf046d5c2ad1dd3889de62c98b8cfd5801fcd561d364c1041d4952e
        {"name": "Mistral", "opening": "{bos}", "system_in_user": ["", " "], "place": "firstTurn", "turns": {"assistant": ["", "{eos}"], "user": ["[INST] ", " [/INST]"]}, "generation": "", "alternates": true, "needs_end": true}
        # unsloth/chat_templates
        2538e19dea679e875069f68f78972bbeeeb77c96ace854afcb9faee3dfcabb17
        {"name": "OpenChat", "opening": "{bos}", "without_system": "    GPT4 Correct ", "system": ["    GPT4 Correct System: ", "<|end_of_turn|>    GPT4 Correct "], "turns": {"assistant": ["Assistant: ", "<|end_of_turn|>    GPT4 Correct "], "system": ["System: ", "<|end_of_turn|>    GPT4 Correct "], "tool": ["Tool: ", "<|end_of_turn|>    GPT4 Correct "], "user": ["User: ", "<|end_of_turn|>    GPT4 Correct "]}, "generation": "Assistant:"}
        # openchat/openchat-3.5-0106
        901b10d47195fadb5692137ecd4b2733730be9d32fde6c6eae23e5153712525e
        {"name": "OpenChat", "opening": "{bos}", "without_system": "GPT4 Correct ", "system": ["GPT4 Correct System: ", "<|end_of_turn|>GPT4 Correct "], "turns": {"assistant": ["Assistant: ", "<|end_of_turn|>GPT4 Correct "], "system": ["System: ", "<|end_of_turn|>GPT4 Correct "], "tool": ["Tool: ", "<|end_of_turn|>GPT4 Correct "], "user": ["User: ", "<|end_of_turn|>GPT4 Correct "]}, "generation": "Assistant:"}
        # chujiezheng/openchat-3.5
        b331cc81802983120d2956a9d39b3a61541ece483a950fcece600e94c5485ee4
        {"name": "OpenChat", "without_system": "\n{bos}\n\n    GPT4 Correct ", "system": ["\n{bos}", "<|end_of_turn|>\n\n    GPT4 Correct ", "trim"], "turns": {"assistant": ["Assistant: ", "<|end_of_turn|>\n\n    GPT4 Correct "], "user": ["User: ", "<|end_of_turn|>\n\n    GPT4 Correct "]}, "generation": "Assistant:\n", "alternates": true, "needs_beginning": true}
        # axolotl/phi_35
        b9b84dd705f2bad1f9667af60a1745ab1a92e1f2e069b2eba5d65e69c5594872
        e6644e725e6115b8494a03f2b9169acd04ee4845d839f126d2bb2b4b9c6b2bfc
        # llama.cpp/microsoft-Phi-3.5-mini-instruct
        107f446a0c69ad81516797efae2998f51b1c8e3ea6e74253dcaff6629306bfc7
        78d976a442bcde2f0be15aafbb8e3050e1104f86732266f68403251b89982a90
        # trl/phi3_5_training
        a76a9651a9785afe269c6b91598d55f03ab8adf3d8489a4a9c8ef432128b7c08
        c980a3f5ce5242af22b5f7f4856a795bac671a5b94c7615bec40991c6ec32124
        {"name": "Phi-3", "system": ["<|system|>\n", "<|end|>\n"], "turns": {"assistant": ["<|assistant|>\n", "<|end|>\n"], "user": ["<|user|>\n", "<|end|>\n"]}, "generation": "<|assistant|>\n", "omits_empty_system": true}
        # trl/phi3
        5601fd7b9dac735cd1a9d029f73cbcf63a48f84b640df193dadc6ac6af980391
        dcaee66df77bfbb789ec541fe713218da30225a526f1db97138fc39ee6dc56aa
        # trl/phi3_training
        e07f1f264b65432cef327dc6be58004bfaf44eb6ed305abae42c33211c1cc92e
        ee60ba7a3511718f914adc64c79ee7655465590947f39c5ccde531d9c1f45c71
        {"name": "Phi-3", "system": ["<|system|>\n", "<|end|>\n"], "turns": {"assistant": ["<|assistant|>\n", "<|end|>\n"], "system": ["<|system|>\n", "<|end|>\n"], "user": ["<|user|>\n", "<|end|>\n"]}, "generation": "<|assistant|>\n"}
        # chujiezheng/phi-3-small
        0834a087ccf401a67f5fe6de834ce31a9fe6698815a2fee314622ced10fb9fa9
        8156626ac85f9a9a5baea8b01bac2be96d9db7dfd03796d08d52053afed30905
        {"name": "Phi-3", "without_system": "\n{bos}\n\n    ", "system": ["\n{bos}\n\n    <|system|>\n", "<|end|>\n\n\n    ", "trim"], "turns": {"assistant": ["<|assistant|>\n", "<|end|>\n\n\n    ", "trim"], "user": ["<|user|>\n", "<|end|>\n\n\n    ", "trim"]}, "generation": "<|assistant|>\n\n", "alternates": true}
        # Phi-3-small
        195d1a2b7e806f9b2f6455ddaf57c19806f89648526bdfe22d070df00ad855fb
        b0e53f5e7bae6fdb93013abeceef343e8841cce87def2601e7269a53439b5740
        {"name": "Phi-3", "opening": "{bos}", "system": ["<|system|>\n", "<|end|>\n"], "turns": {"assistant": ["<|assistant|>\n", "<|end|>\n"], "system": ["<|system|>\n", "<|end|>\n"], "tool": ["<|tool|>\n", "<|end|>\n"], "user": ["<|user|>\n", "<|end|>\n"]}, "generation": "<|assistant|>\n"}
        # Phi-3-mini
        268b6082ceb7176dc6ed80557a2f7837f9f0339592fbee677d405a553af15f88
        4552eefd92474b5259a00e369ebb5989535118101ca9ddeff68c11e879bbb9dd
        {"name": "Phi-3", "opening": "{bos}", "turns": {"assistant": ["", "<|end|>\n"], "user": ["<|user|>\n", "<|end|>\n<|assistant|>\n"]}, "generation": ""}
        # Phi-3-medium
        605841622bcb6572225608f09ec2afcdfb9fb50844ef52715a12689f7b9278b1
        6b2fedcaff5489ce48d01fbbd17c7a46d4bf78001a5d05ec91d6067bf102e56f
        {"name": "Phi-3", "turns": {"assistant": ["", "<|end|>\n"], "user": ["<|user|>\n", "<|end|>\n<|assistant|>\n"]}, "generation": ""}
        # Phi-3-vision
        672800bb30b3e512310f97ba0c81750fac4628f1a1f2e92138c92f7311abbd7c
        79e4ca4b7d902dc73772bbde0c62459f93871f4c17827e8e41ad3fa663e0da04
        {"name": "Phi-3", "system": ["<|system|>\n", "<|end|>\n"], "turns": {"assistant": ["", "<|end|>\n"], "system": ["<|system|>\n", "<|end|>\n"], "tool": ["<|tool|>\n", "<|end|>\n"], "user": ["<|user|>\n", "<|end|>\n<|assistant|>\n"]}, "generation": "", "needs_turn": true, "alternates": true}
        # axolotl/phi_3
        68e5b97472ceec7523b68d3678958db46f568999a43221ae354a6ba0bcf0a611
        f84a87af997b77b79c56ba109872e7a9917a24204225ad0d82897dde0981cb9f
        {"name": "Phi-3", "opening": "{bos}", "system": ["<|system|>\n", "<|end|>\n"], "turns": {"assistant": ["", "<|end|>\n"], "system": ["<|system|>\n", "<|end|>\n"], "user": ["<|user|>\n", "<|end|>\n<|assistant|>\n"]}, "generation": ""}
        # unsloth/chat_templates
        6fc812cb52be39ba92df85609cace4d52790c4d2fc6d14e8c8eeee3fab908138
        aad4c74b7304eb27aadf4e1626bf3f644244e8628c8214c99f667967b2b24420
        {"name": "Phi-3", "system": ["<|system|>\n", "<|end|>\n"], "turns": {"assistant": ["<|assistant|>\n", "<|end|>\n"], "system": ["<|system|>\n", "<|end|>\n"], "tool": ["<|tool|>\n", "<|end|>\n"], "user": ["<|user|>\n", "<|end|>\n"]}, "generation": "<|assistant|>\n"}
        # chujiezheng/phi-3
        ee4bac012da55e1c3312c31b113139ba4d6919521f483afdfebcc1c9566d9c1a
        fc5a9b106e9efefb9e6c403d2e92d9f1d0614401bbe0cf39a7b1f43bd08d558d
        {"name": "Phi-3", "without_system": "\n\n    ", "system": ["\n\n    <|system|>\n", "<|end|>\n\n\n    ", "trim"], "turns": {"assistant": ["<|assistant|>\n", "<|end|>\n\n\n    ", "trim"], "user": ["<|user|>\n", "<|end|>\n\n\n    ", "trim"]}, "generation": "<|assistant|>\n\n", "alternates": true}
        # axolotl/llava
        0eebc31fd3f554c5cdcce2dcbf4c5442079d3f5bd94b7191de22c575e29885c9
        fa727755f4503782c3febd7b4778100d05d0e21f995e5d1674292bfb6dd01a1c
        {"name": "Vicuna", "system": ["", " "], "turns": {"assistant": ["ASSISTANT: ", " "], "system": ["", " "], "tool": ["TOOL: ", " "], "user": ["USER: ", " "]}, "generation": "ASSISTANT:"}
        # Orca-Vicuna
        2cf494886f582fc88eb0c1f587c1a43baff83103e9d77f37542d3b8c7586f803
        9aac8b0ffcfc24d19f5209202177debeb10b01a43b63e5b143604b2bef3f0bab
        {"name": "Vicuna", "system": ["SYSTEM: ", "\n"], "turns": {"assistant": ["ASSISTANT: ", "</s>\n"], "system": ["SYSTEM: ", "\n"], "tool": ["ASSISTANT: ", "</s>\n"], "user": ["USER: ", "\n"]}, "generation": "ASSISTANT:"}
        # chujiezheng/vicuna
        4048b56ec9ccc441161918f8c992d606d1c50b4f728a33d1bcd9aaeed88f7c66
        5cb3310894a013572288a09157767ddbe4dbb9599ee0c2ea8180bfb50536faf4
        {"name": "Vicuna", "without_system": "\n{bos}\n\n    ", "system": ["\n{bos}", "\n\n\n\n    ", "trim"], "turns": {"assistant": ["    ASSISTANT: ", "{eos}\n\n\n    ", "trim"], "user": ["    USER: ", "\n\n\n    ", "trim"]}, "generation": "ASSISTANT:\n", "alternates": true, "needs_beginning": true, "needs_end": true}
        # eachadea/vicuna-13b-1.1
        e6ab61d63dae6d1ef009b1f66e7bbba8879640917dac53e54659299c2f629aa4
        f298c5c34dedb637a2a665ac409ad764cf3ffb5b2fd89d0e2fa0118a3dc21f1f
        {"name": "Vicuna", "system": ["", "\n\n"], "turns": {"assistant": ["ASSISTANT: ", "</s>\n"], "system": ["", "\n\n"], "tool": ["ASSISTANT: ", "</s>\n"], "user": ["USER: ", "\n"]}, "generation": "ASSISTANT:"}
        # e2e.test
        4f39e3a4b9e3d369b42fd00d93a78f171914bb4e58ec84fc420433d7a153288a
        66291cf0045c2425a3a667cf3cbb7af2b11f09e025c02f97245323ab79119362
        # goldens/own_tokenizers
        112b5754d363f314556a289b38a494f98c33af7d7afc2a88c9e15d0b3ee041fc
        30d0ce3cc83b62196409165ef0b6c4eaf9678292a09562c1364382f23979e3cc
        {"name": "Zephyr", "system": ["<|system|>\n", "{eos}\n"], "turns": {"assistant": ["<|assistant|>\n", "{eos}\n"], "system": ["<|system|>\n", "{eos}\n"], "user": ["<|user|>\n", "{eos}\n"]}, "generation": "<|assistant|>\n", "needs_end": true}
        # chujiezheng/zephyr
        48ed2b3250eb1dd28a33a923307052442f777909948b62dd1208e8654f123e55
        a41f4cf24c71ac63554ca7c46efee71e70e1e04c7e22fe3e17c65411c90d36cc
        {"name": "Zephyr", "without_system": "\n\n    ", "system": ["\n\n    <|system|>\n", "{eos}\n\n\n    ", "trim"], "turns": {"assistant": ["<|assistant|>\n", "{eos}\n\n\n    ", "trim"], "user": ["<|user|>\n", "{eos}\n\n\n    ", "trim"]}, "generation": "<|assistant|>\n\n", "alternates": true, "needs_end": true}
        # unsloth/chat_templates
        5e2833b50f34f4581d09d801325bf4d7d8285bcad36be595a30a9904b7759f5d
        d7b6c50818cef0dd51832d783d0b5cb469b5f678203f5b88c13042f635b83fb4
        {"name": "Zephyr", "system": ["<|system|>\n", "{eos}\n"], "turns": {"assistant": ["<|assistant|>\n", "{eos}\n"], "system": ["<|system|>\n", "{eos}\n"], "tool": ["<|system|>\n", "{eos}\n"], "user": ["<|user|>\n", "{eos}\n"]}, "generation": "<|assistant|>\n", "needs_end": true}
        # GLMEdge
        a9c589805d7f938243951f7c505250e31adbd19c99851a3651bc3d832612288c
        {"name": "Zephyr", "system": ["<|system|>\n", ""], "turns": {"assistant": ["<|assistant|>\n", ""], "system": ["<|system|>\n", ""], "user": ["<|user|>\n", ""]}, "generation": "<|assistant|>"}
        # ChatGLM3
        e4496f930bf7b7bc7e7cf8232e90fd43ab4a9d8eb9c77f6ec98f5beb5c5cbeaa
        {"name": "Zephyr", "without_system": "[gMASK]sop", "system": ["[gMASK]sop<|system|>\n ", ""], "turns": {"assistant": ["<|assistant|>\n ", ""], "system": ["<|system|>\n ", ""], "tool": ["<|tool|>\n ", ""], "user": ["<|user|>\n ", ""]}, "generation": "<|assistant|>"}
        # llama.cpp/deepseek-ai-DeepSeek-V4
        1cc55abd64d17dd843efa8245b7bbaf88726eb52d2e88198f8aff3d9b0405a54
        f8b442fab67e75b3aa468334b5cdda671003b852ffd71f23cb23377d31d9c7be
        # llama.cpp/deepseek-ai-DeepSeek-V4-Flash-0731
        8b6f730567ea3e0a994ce80ac79c18a4d49716e821fd13ad7a2c061b712e3520
        a63143703192feac0d3316e242b843844da55779f9affa4b2e47ce0f7fb0f50c
        {"name": "plain", "opening": "{bos}", "without_system": "<｜", "system": ["", "<｜"], "turns": {"assistant": ["Assistant｜></think>", "<｜end▁of▁sentence｜><｜"], "user": ["User｜>", "<｜"]}, "generation": "Assistant｜></think>", "alternates": true}
        # OrionStarAI/Orion-14B-Chat
        0a810fe4b9851f7fb59031cba7185e33dace1f5f8318c0277dbe753f7efa914c
        185558259e78227a6a72b84543e9818389f5f72729ee4d8b7f00ff07a0e11a6d
        {"name": "plain", "opening": "{bos}", "turns": {"assistant": ["", "{eos}"], "user": ["Human: ", "\n\nAssistant: {eos}"]}, "generation": "", "needs_end": true}
        # Deci/DeciLM-7B-instruct
        1792de7aa5526ecb23b1a2f32d80152d439c4a9dfdf49096e46baa80441394cc
        fbafa9d58392a9905bef0f19a217fd5ba809bdf3a4f247384e2704f457e2b507
        {"name": "plain", "without_system": "### ", "system": ["### System:\n", "\n### "], "turns": {"assistant": ["Assistant:\n", "\n### "], "system": ["System:\n", "\n### "], "user": ["User:\n", "\n### "]}, "generation": "Assistant:\n"}
        # axolotl/alpaca
        22b45d6cc92f7325e4e59ff89c5b44ee949f5cb041375f576366024b50a2f07e
        4a10b5ac24d3568b26180966e8ce6cb751418564da69210c77278422855e3ee8
        {"name": "plain", "opening": "{bos}", "without_system": "### ", "system": ["", "\n\n### "], "turns": {"assistant": ["Response:\n", "{eos}\n\n### "], "user": ["Instruction:\n", "\n\n### "]}, "generation": "Response:\n", "needs_end": true}
        # mlabonne/AlphaMonarch-7B
        396b7b76d04a4cdfd45a5a8e73e041ae66b070cda30f24c607e9b872b4a13826
        da877606ea461c2dec8ec532808d1f53d838456fd8a1f188480e5511fa1c3062
        {"name": "plain", "opening": "{bos}", "system": ["system\n", "{eos}\n{bos}"], "turns": {"assistant": ["assistant\n", "{eos}\n{bos}"], "system": ["system\n", "{eos}\n{bos}"], "tool": ["tool\n", "{eos}\n{bos}"], "user": ["user\n", "{eos}\n{bos}"]}, "generation": "assistant\n", "needs_beginning": true, "needs_end": true}
        # meetkai/functionary-medium-v2.2
        44f0c6f9d6b22a9449de008bb7e7b435c85924a75d1f3d749d75aa9a61fa0d42
        79b5a8935a7372f633df6c7c54651337350ee4f4703466b16bd5ce6c9ba26e47
        {"name": "plain", "system": ["<|from|>system\n<|recipient|>all\n<|content|>", "\n"], "turns": {"assistant": ["<|from|>assistant\n<|recipient|>all\n<|content|>", "<|stop|>\n"], "system": ["<|from|>system\n<|recipient|>all\n<|content|>", "\n"], "user": ["<|from|>user\n<|recipient|>all\n<|content|>", "\n"]}, "generation": "<|from|>assistant\n<|recipient|>"}
        # axolotl/deepseek_v2
        47208fd014cb6484537e35b0f5f2e217c3dd92a22ce4ccabbf0f9791fa1e250c
        980c96c053071fb6157ca0c0d56d6f542bfdd8196259e401c9d3c782190ea607
        {"name": "plain", "opening": "{bos}", "without_system": "<｜", "system": ["", "\n\n<｜"], "turns": {"assistant": ["Assistant｜>", "{eos}<｜"], "user": ["User｜>", "<｜"]}, "generation": "Assistant｜>", "needs_end": true}
        # codellama/CodeLlama-70b-Instruct-hf
        5324fdb4454c54595647891b5d637bc4eb1b70fde46ef8c7001ab20f36c8c20e
        75678d463085865163b4c6dbc28f7178738d992b53124ad3612304f48a983b02
        {"name": "plain", "without_system": "<s>Source: ", "system": ["<s>Source: system\n\n ", " <step> Source: ", "trim"], "turns": {"assistant": ["assistant\n\n ", " <step> Source: ", "trim"], "user": ["user\n\n ", " <step> Source: ", "trim"]}, "generation": "assistant\nDestination: user\n\n ", "alternates": true}
        # llama.cpp/deepseek-ai-DeepSeek-V3.2
        53b9683b3653cec369829a4e6b27e1be65c81c903a47c4f1478ce19388a2baef
        a91cab3035588469aa82e30b0e48d9c27860d7a2dc47172d5a9c72cb3c7b4497
        {"name": "plain", "opening": "{bos}", "system": ["", ""], "turns": {"assistant": ["Assistant｜></think>", "<｜end▁of▁sentence｜>"], "tool": ["\n<result>", "</result>"], "user": ["<｜User｜>", "<｜"]}, "generation": "Assistant｜><think></think>", "needs_turn": true, "alternates": true, "prompts_after_answer": false}
        # deepseek-ai/deepseek-llm-7b-chat
        5b0c475e85b3954175a606f8e7540ec0c6a16edb516e2b8cd0c000dff7b1ad65
        8aeba567270fa9a8d5372caf4b04affea947c4421d96adc01e3ff94021b0ae8e
        {"name": "plain", "opening": "{bos}", "system": ["", "\n\n"], "turns": {"assistant": ["Assistant: ", "{eos}"], "system": ["", "\n\n"], "user": ["User: ", "\n\n"]}, "generation": "Assistant:", "needs_end": true}
        # axolotl/exaone
        627e212836e41c6231988b4ae595a16ddfd7814d2c39fd7bf3105651f8bbeebd
        c276a928c5a5334cea4eb63bd2e562f31d03afe66b2d5599e75d4e4f6d0c52a5
        {"name": "plain", "without_system": "[|system|][|endofturn|]\n[|", "system": ["[|system|]", "[|endofturn|]\n[|"], "turns": {"assistant": ["assistant|]", "[|endofturn|]\n[|"], "system": ["system|]", "[|endofturn|]\n[|"], "tool": ["tool|]", "[|endofturn|]\n[|"], "user": ["user|]", "\n[|"]}, "generation": "assistant|]"}
        # chujiezheng/amberchat
        7fffc8f2b53469d20789f6d6757521a7beb88256c024cabce56b6ff4bf288dae
        a4002ce905c568c2890306915744fb4eaa77d90118b8563abbf7c4c8c7d8194d
        {"name": "plain", "without_system": "\n{bos}\n\n    ", "system": ["\n{bos}", "\n\n\n    ", "trim"], "turns": {"assistant": ["    ###Assistant: ", "\n\n\n    ", "trim"], "user": ["    ###Human: ", "\n\n\n    ", "trim"]}, "generation": "###Assistant:\n", "alternates": true, "needs_beginning": true}
        # chujiezheng/solar-instruct
        97dd53bd17997077cedaad629d48cf1966e5ecd4d530201a9b1769e37e4e3fea
        bdab847b8f35301a1be551ba34aeb9537bed954f12e56432f38a38611a96b1a1
        {"name": "plain", "without_system": "\n{bos}\n\n    ### ", "system": ["\n{bos}\n\n    ### System:\n", "\n\n\n\n    ### ", "trim"], "turns": {"assistant": ["Assistant:\n", "\n\n\n\n    ### ", "trim"], "user": ["User:\n", "\n\n\n\n    ### ", "trim"]}, "generation": "Assistant:\n\n", "alternates": true}
        # chujiezheng/saiga
        abf1dd07919b7017c351e19d4c2803fd08d21382efa6343357642c1d8d9db26e
        b63042a16d842f76325209c067e051802e659921f2abf533486a5533abf592cd
        {"name": "plain", "without_system": "\n\n", "system": ["\n\n\n    {bos}system\n", "{eos}\n\n", "trim"], "turns": {"assistant": ["\n    {bos}bot\n", "{eos}\n\n", "trim"], "user": ["\n    {bos}user\n", "{eos}\n\n", "trim"]}, "generation": "    {bos}bot\n\n", "alternates": true, "needs_beginning": true, "needs_end": true}
        # axolotl/llama4
        b926f153542c59b4c3f1a62f3926d7a0ffc3706464b0a200d7a810c0606383dc
        ca8aa68b3c3d2c5012d414c901eba63c361476d991f4ef36c832e24d2f63dd06
        {"name": "plain", "opening": "{bos}", "system": ["<|header_start|>system<|header_end|>\n\n", "<|eot|>", "trim"], "turns": {"assistant": ["<|header_start|>assistant<|header_end|>\n\n", "<|eot|>"], "system": ["<|header_start|>system<|header_end|>\n\n", "<|eot|>"], "user": ["<|header_start|>user<|header_end|>\n\n", "<|eot|>"]}, "generation": "<|header_start|>assistant<|header_end|>\n\n"}
        # chujiezheng/chatqa
        ceaa937bdcc6c18f7db605956e1e26f6d9dfba3dff41ac72d6bcc8ff9db4f9e5
        dde8c75924c09890ac3bb3b0544497ea16e4143c336d85342ed4b427d8674851
        {"name": "plain", "without_system": "\n\n{bos}\n\n    ", "system": ["\n\n{bos}System: ", "\n\n    ", "trim"], "turns": {"assistant": ["    \n\nAssistant: ", "\n\n    ", "trim"], "user": ["    \n\nUser: ", "\n\n    ", "trim"]}, "generation": "\n\nAssistant:\n", "needs_turn": true, "alternates": true, "needs_beginning": true}
        # h2oai/h2o-danube-1.8b-chat
        030682a71799f58861b11abced478506e9d2b84bb0edd2cc3a3b669c32fb9132
        {"name": "plain", "system": ["<|system|>", "{eos}"], "turns": {"assistant": ["<|answer|>", "{eos}"], "system": ["<|system|>", "{eos}"], "user": ["<|prompt|>", "{eos}"]}, "generation": "<|answer|>", "needs_end": true}
        # inclusionAI/Ling-lite
        194900ce7bc7190dbe359ba6f83d54656bc3be8780abaa97a1d01bf1a9c5489c
        {"name": "plain", "without_system": "<role>", "system": ["<role>SYSTEM</role>", "<role>"], "turns": {"assistant": ["ASSISTANT</role>", "<role>"], "system": ["SYSTEM</role>", "<role>"], "tool": ["TOOL</role>", "<role>"], "user": ["HUMAN</role>", "<role>"]}, "generation": "ASSISTANT</role>"}
        # e2e.test
        5e038197c89daee5d4e03d3e0c8ac0fab5a25e2dc88f203f9c948f68889e416f
        {"name": "plain", "system": ["", "{eos}"], "turns": {"assistant": ["", "{eos}"], "system": ["", "{eos}"], "tool": ["", "{eos}"], "user": ["", "{eos}"]}, "generation": ""}
        # llama.cpp/moonshotai-Kimi-K2
        aab20feb9bc6881f941ea649356130ffbc4943b3c2577c0991e1fba90de5a0fc
        {"name": "plain", "without_system": "<|im_system|>system<|im_middle|>You are a helpful assistant<|im_end|>", "system": ["<|im_system|>system<|im_middle|>", "<|im_end|>"], "turns": {"assistant": ["<|im_assistant|>assistant<|im_middle|>", "<|im_end|>"], "system": ["<|im_system|>system<|im_middle|>", "<|im_end|>"], "tool": ["<|im_system|>tool<|im_middle|>## Return of \\n", "<|im_end|>"], "user": ["<|im_user|>user<|im_middle|>", "<|im_end|>"]}, "generation": "<|im_assistant|>assistant<|im_middle|>"}
        # MiniCPM-3B-OpenHermes-2.5-v2-GGUF
        ae9b050c5a5b0295cb09269e67bf832fa08675dd845c7b3ea4c2130bcacc5c26
        {"name": "plain", "system": ["", "", "trim"], "turns": {"assistant": ["", "", "trim"], "system": ["", "", "trim"], "tool": ["", "", "trim"], "user": ["<用户>", "<AI>", "trim"]}, "generation": ""}
        # Infinigence/Megrez-3B-Instruct
        b58913fce67fc69834213fd446f9d85f30e0ddd8f88f482e65fdfcb6f9d77f15
        {"name": "plain", "without_system": "<|role_start|>system<|role_end|>你是Megrez-3B-Instruct，将针对用户的问题给出详细的、积极的回答。<|turn_end|>", "system": ["<|role_start|>system<|role_end|>", "<|turn_end|>"], "turns": {"assistant": ["<|role_start|>assistant<|role_end|>", "<|turn_end|>"], "system": ["<|role_start|>system<|role_end|>", "<|turn_end|>"], "tool": ["<|role_start|>tool<|role_end|>", "<|turn_end|>"], "user": ["<|role_start|>user<|role_end|>", "<|turn_end|>"]}, "generation": "<|role_start|>assistant<|role_end|>"}
        # llama.cpp/moonshotai-Kimi-K2
        db12fd2b4a5465bf4d0b32e7be1d7c1dea9a11b469f66b6f5712d2e88b79495b
        {"name": "plain", "without_system": "<|im_system|>system<|im_middle|>You are a helpful assistant<|im_end|>", "system": ["<|im_system|>system<|im_middle|>", "<|im_end|>"], "turns": {"assistant": ["<|im_assistant|>assistant<|im_middle|>", "<|im_end|>"], "system": ["<|im_system|>system<|im_middle|>", "<|im_end|>"], "tool": ["<|im_system|>tool<|im_middle|>## Return of \n", "<|im_end|>"], "user": ["<|im_user|>user<|im_middle|>", "<|im_end|>"]}, "generation": "<|im_assistant|>assistant<|im_middle|>"}
        """#
}
