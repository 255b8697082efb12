"""Experts as modules, which transformers 5 keeps in two tensors: so PEFT finds each as a linear layer, with the
names that checkpoints have. And tokens whose experts don't depend on rounding."""

import torch
from torch import nn

# model_type: an expert's gate, up and down; the part's name in checkpoints
NAMES = {
    "mixtral": ("w1", "w3", "w2", "block_sparse_moe"),
    "qwen2_moe": ("gate_proj", "up_proj", "down_proj", "mlp"),
    "qwen3_moe": ("gate_proj", "up_proj", "down_proj", "mlp"),
}
MARGIN = 0.1


class SparseBlock(nn.Module):
    """A router and its experts, from transformers' own block."""

    def __init__(self, block, names):
        super().__init__()
        router, stacked = block.gate, block.experts
        self.names, self.count = names, router.top_k
        self.normalises = getattr(router, "norm_topk_prob", True)
        self.gate = linear(router.weight)
        self.experts = nn.ModuleList()
        for expert in range(router.num_experts):
            gate, up = stacked.gate_up_proj[expert].chunk(2)
            modules = nn.Module()
            for name, weight in zip(names, (gate, up, stacked.down_proj[expert])):
                modules.add_module(name, linear(weight))
            self.experts.append(modules)
        for name in ("shared_expert", "shared_expert_gate"):
            if hasattr(block, name):
                self.add_module(name, getattr(block, name))

    def forward(self, hidden):
        rows = hidden.reshape(-1, hidden.shape[-1])
        shares, chosen = torch.topk(torch.softmax(self.gate(rows).float(), -1), self.count)
        if self.normalises:
            shares = shares / shares.sum(-1, keepdim=True)
        result = torch.zeros_like(rows)
        for expert, modules in enumerate(self.experts):
            row, place = torch.where(chosen == expert)
            gate, up, down = (getattr(modules, name) for name in self.names)
            own = rows[row]
            result[row] += shares[row, place, None] * down(nn.functional.silu(gate(own)) * up(own))
        if hasattr(self, "shared_expert"):
            result += torch.sigmoid(self.shared_expert_gate(rows)) * self.shared_expert(rows)
        return result.reshape(hidden.shape)


def linear(weight):
    module = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    module.weight.data = weight.data.clone()
    return module


def expand(model):
    """Replaces the blocks of a model whose checkpoints have a module for each expert."""
    *names, _ = NAMES[model.config.model_type]
    for layer in model.model.layers:
        if hasattr(layer.mlp, "experts"):
            layer.mlp = SparseBlock(layer.mlp, names)


def checkpoint_name(model_type, name):
    return name.replace(".mlp.", f".{NAMES[model_type][3]}.")


def draw_tokens(model, count, vocabulary, generator):
    """Tokens none of whose experts is chosen by less than a margin: another type chooses the same."""
    logits = []
    routers = [module for name, module in model.named_modules() if type(module).__name__.endswith("TopKRouter")]
    hooks = [router.register_forward_hook(lambda _, __, output: logits.append(output[0])) for router in routers]
    tokens, candidates = [], torch.arange(3, vocabulary)
    with torch.no_grad():
        while len(tokens) < count:
            logits.clear()
            rows = [tokens + [candidate] for candidate in candidates.tolist()]
            model(input_ids=torch.tensor(rows), use_cache=False)
            least = torch.full((len(rows),), torch.inf)
            for own in logits:
                last = own.reshape(len(rows), -1, own.shape[-1])[:, -1].sort(descending=True).values
                least = torch.minimum(least, last[:, routers[0].top_k - 1] - last[:, routers[0].top_k])
            clear = candidates[least > MARGIN]
            assert len(clear) > 3, "no tokens are far enough from a tie"
            tokens.append(clear[torch.randint(len(clear), (1,), generator=generator)].item())
    for hook in hooks:
        hook.remove()
    return tokens
