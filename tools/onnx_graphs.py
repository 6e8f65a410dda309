"""Write the ONNX graphs that ship with the package: the networks without their weights, and what they expect.

    python tools/onnx_graphs.py

For each backbone whose weights come as a Python package, `tl_course/features/graphs/` gets NAME.onnx (some 20 kB: which
operators, in which order) and NAME.json (what the network expects, and its tensors by name and shape); weights and a
pooling are added by `tl_course.features.onnx_models`. Needed again only where timm changes one of these networks; needs
the extra ``onnx``.
"""

import json
import tempfile
import warnings

import onnx
import torch
from timm.layers import Conv2dSame
from torch import nn

from tl_course.features.backbones import Backbone, create
from tl_course.features.onnx_models import DESCRIPTION, GRAPHS
from tl_course.features.weights import PACKAGES


def exported(name: str) -> onnx.ModelProto:
    """The network called `name`, up to the maps that are pooled, as torch's exporter writes it."""
    torch.manual_seed(0)
    net = create(name, pretrained=False).eval()
    same = set()
    for path, module in net.named_modules():
        if isinstance(module, Conv2dSame):  # it pads by the size of its input, for which ONNX has an attribute
            same.add(f"{path}.weight")
            module.__class__ = nn.Conv2d
    for tensor in net.state_dict().values():
        if tensor.is_floating_point():  # all different: the exporter would keep one of two that are equal
            tensor.uniform_(0.5, 1.5)
    net.global_pool = nn.Identity()
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net, (torch.zeros(2, 3, 224, 224),), file.name, dynamo=False, opset_version=17, do_constant_folding=False,
            training=torch.onnx.TrainingMode.PRESERVE,  # batch norm stays apart from the convolutions
            input_names=["pictures"], output_names=["maps"], dynamic_axes={"pictures": {0: "n", 2: "h", 3: "w"}},
        )  # fmt: skip
        model = onnx.load(file.name)
    for node in model.graph.node:
        if node.op_type == "Conv" and node.input[1] in same:
            pads = next(attribute for attribute in node.attribute if attribute.name == "pads")
            node.attribute.remove(pads)
            node.attribute.append(onnx.helper.make_attribute("auto_pad", "SAME_UPPER"))
    return model


def bare(model: onnx.ModelProto, dim: int) -> onnx.ModelProto:
    """The graph of `model` with short names and without weights; its output is the vectors that pooling will give."""
    weights = {tensor.name for tensor in model.graph.initializer}
    constants = {
        node.output[0]: float(onnx.numpy_helper.to_array(node.attribute[0].t))
        for node in model.graph.node
        if node.op_type == "Constant"
    }
    names = {name: name for name in {*weights, "pictures", "maps"}} | {
        name: f"constant_{value:g}" for name, value in constants.items()
    }
    nodes = [node for node in model.graph.node if node.op_type != "Constant"]
    for number, node in enumerate(nodes):
        names.setdefault(node.output[0], str(number))
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names[name] for name in node.output]
        node.name = node.doc_string = ""
    tensor = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes,
        "backbone",
        [tensor("pictures", onnx.TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [tensor("vectors", onnx.TensorProto.FLOAT, ["n", dim])],
        [
            onnx.helper.make_tensor(f"constant_{value:g}", onnx.TensorProto.FLOAT, [], [value])
            for value in sorted(set(constants.values()))
        ],
    )
    return onnx.helper.make_model(graph, opset_imports=model.opset_import, ir_version=8, producer_name="tl-course")


def main() -> None:
    """Write the graph and the description of each backbone."""
    GRAPHS.mkdir(exist_ok=True)
    for name in PACKAGES:
        backbone = Backbone.untrained(name)
        tensors = {
            key: list(tensor.shape)
            for key, tensor in create(name, pretrained=False).state_dict().items()
            if not key.endswith("num_batches_tracked")
        }
        path = GRAPHS / f"{name}.onnx"
        path.write_bytes(bare(exported(name), backbone.dim).SerializeToString())
        description = {key: value for key, value in backbone.to_json().items() if key in DESCRIPTION}
        lines = ",\n  ".join(f"{json.dumps(key)}: {json.dumps(shape)}" for key, shape in tensors.items())
        head = json.dumps(description, indent=1).removesuffix("\n}")
        path.with_suffix(".json").write_text(f'{head},\n "tensors": {{\n  {lines}\n }}\n}}\n', encoding="utf-8")
        print(f"{path}: {path.stat().st_size / 1e3:.0f} kB, {len(tensors)} tensors")


if __name__ == "__main__":
    main()
