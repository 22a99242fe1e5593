"""Random weights that hide no mistake: no gate near zero, no norm near one, every bias felt."""

import re

import torch

# Gates are plain parameters, not the weight of a layer called gate.
GATE = re.compile(r"(^|\.)(\w*_gate|gate|gate_attn|gate_ffn|alpha_cross_attn|alpha_dense)$")
TABLE = re.compile(r"embed|wte|latents|class_embedding|positional")


def fan_in(name, parameter):
    if parameter.dim() == 3 and "linear" in name:
        return parameter.shape[-1]  # experts stacked as (E, out, in)
    return parameter[0].numel()


@torch.no_grad()
def randomise(module, seed, tied=False):
    """Fills every parameter of `module` from `seed`.

    A tied table is small, or every token would only predict itself.
    """
    generator = torch.Generator().manual_seed(seed)

    def normal(parameter, std, mean=0.0):
        parameter.copy_(mean + std * torch.randn(parameter.shape, generator=generator))

    for name, parameter in module.named_parameters():
        leaf = name.rsplit(".", 1)[-1]
        if GATE.search(name):
            size = 0.4 + 0.8 * torch.rand(parameter.shape, generator=generator)
            sign = torch.rand(parameter.shape, generator=generator).round() * 2 - 1
            parameter.copy_(size * sign)
        elif leaf in ("weight", "gamma") and parameter.dim() == 1:
            normal(parameter, 0.25, mean=1.0)
        elif leaf.endswith("bias"):
            normal(parameter, 0.2)
        elif TABLE.search(name) and "patch_embedding" not in name and "embed_out" not in name:
            normal(parameter, 0.2 if tied else 0.5)
        elif parameter.dim() < 2:
            normal(parameter, 0.5)
        elif re.search(r"lm_head|embed_out", name):
            normal(parameter, 2.0 / parameter.shape[-1] ** 0.5)
        else:
            normal(parameter, fan_in(name, parameter) ** -0.5)
