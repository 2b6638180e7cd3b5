"""The operations as loops in NumPy, written from their definitions and from nothing in jaxcnn.

`NAIVE[name](*arrays, **options)` takes what the rule's door takes, channels last.
"""

from tests.ops.naive import activation, conv, layers, loss, pad, pool

NAIVE = {
    f.__name__: f
    for f in (
        *(conv.conv, conv.conv_dgrad, conv.conv_wgrad, conv.conv_transpose, pad.pad),
        *(pool.max_pool, pool.avg_pool, pool.global_max_pool, pool.global_avg_pool),
        *(layers.dense, layers.flatten, layers.batch_norm, layers.batch_norm_eval, layers.dropout),
        *(activation.relu, activation.leaky_relu, activation.sigmoid, activation.tanh, activation.gelu),
        *(activation.silu, activation.softmax, activation.log_softmax, activation.relu6, activation.prelu),
        *(activation.elu, activation.celu, activation.selu, activation.softplus, activation.softsign),
        *(activation.mish, activation.hard_sigmoid, activation.hard_swish),
        *(layers.group_norm, layers.instance_norm, layers.layer_norm, layers.rms_norm),
        *(loss.softmax_cross_entropy, loss.sigmoid_cross_entropy, loss.mse),
    )
}
