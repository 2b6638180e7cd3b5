"""What the networks are, and the images that they were made for."""

from typing import NamedTuple


class About(NamedTuple):
    """What a network is.

    Attributes:
      image_shape: (h, w, c) of the images that it was made for.
      parameters: how many it has, for such images and as many classes as it was published with.
      line: whose it is, in a line.
    """

    image_shape: tuple[int, int, int]
    parameters: int
    line: str


ABOUT = {
    "lenet5": About((28, 28, 1), 107_786, "LeCun et al. 1998; relu"),
    "cifar_small": About((32, 32, 3), 1_977_994, "seven convolutions, fast"),
    "two_filters": About((5, 5, 3), 56, "one convolution, by hand"),
    "three_convs": About((39, 39, 3), 44_950, "three convolutions"),
    "conv_blocks": About((224, 224, 3), 13_133_930, "three blocks, dropout"),
    "vgg11": About((224, 224, 3), 132_863_336, "Simonyan & Zisserman 2015"),
    "vgg13": About((224, 224, 3), 133_047_848, "Simonyan & Zisserman 2015"),
    "vgg16": About((224, 224, 3), 138_357_544, "Simonyan & Zisserman 2015"),
    "vgg19": About((224, 224, 3), 143_667_240, "Simonyan & Zisserman 2015"),
    "vgg11_bn": About((224, 224, 3), 132_868_840, "the same with batch norm"),
    "vgg13_bn": About((224, 224, 3), 133_053_736, "the same with batch norm"),
    "vgg16_bn": About((224, 224, 3), 138_365_992, "the same with batch norm"),
    "vgg19_bn": About((224, 224, 3), 143_678_248, "the same with batch norm"),
    "resnet20": About((32, 32, 3), 272_474, "He et al. 2016; CIFAR-10"),
    "resnet32": About((32, 32, 3), 466_906, "He et al. 2016; CIFAR-10"),
    "resnet44": About((32, 32, 3), 661_338, "He et al. 2016; CIFAR-10"),
    "resnet56": About((32, 32, 3), 855_770, "He et al. 2016; CIFAR-10"),
    "resnet18": About((224, 224, 3), 11_689_512, "He et al. 2016; ImageNet"),
    "resnet34": About((224, 224, 3), 21_797_672, "He et al. 2016; ImageNet"),
    "resnet50": About((224, 224, 3), 25_557_032, "He et al. 2016; ImageNet"),
    "resnet101": About((224, 224, 3), 44_549_160, "He et al. 2016; ImageNet"),
    "resnet152": About((224, 224, 3), 60_192_808, "He et al. 2016; ImageNet"),
    "keras_resnet50": About((224, 224, 3), 25_583_592, "He et al. 2016, as Keras"),
    "keras_resnet101": About((224, 224, 3), 44_601_832, "He et al. 2016, as Keras"),
    "keras_resnet152": About((224, 224, 3), 60_268_520, "He et al. 2016, as Keras"),
    "wide_resnet50_2": About((224, 224, 3), 68_883_240, "Zagoruyko & Komodakis 2016"),
    "resnext50_32x4d": About((224, 224, 3), 25_028_904, "Xie et al. 2017; 32 groups"),
    "densenet121": About((224, 224, 3), 7_978_856, "Huang et al. 2017"),
    "densenet169": About((224, 224, 3), 14_149_480, "Huang et al. 2017"),
    "densenet201": About((224, 224, 3), 20_013_928, "Huang et al. 2017"),
    "keras_densenet121": About((224, 224, 3), 7_978_856, "the same, as Keras"),
    "keras_densenet169": About((224, 224, 3), 14_149_480, "the same, as Keras"),
    "keras_densenet201": About((224, 224, 3), 20_013_928, "the same, as Keras"),
    "squeezenet1_1": About((224, 224, 3), 1_235_496, "Iandola et al. 2016"),
    "mobilenet_v2": About((224, 224, 3), 3_504_872, "Sandler et al. 2018"),
    "tf_mobilenet_v2": About((224, 224, 3), 3_504_872, "the same, as TensorFlow"),
    "mobilenet_v3_small": About((224, 224, 3), 2_542_856, "Howard et al. 2019"),
    "mobilenet_v3_large": About((224, 224, 3), 5_483_032, "Howard et al. 2019"),
    "mobilenetv3_small_100": About((224, 224, 3), 2_542_856, "the same, as timm has it"),
    "mobilenetv3_large_100": About((224, 224, 3), 5_483_032, "the same, as timm has it"),
    "tf_mobilenetv3_small_100": About((224, 224, 3), 2_542_856, "the same, as TensorFlow"),
    "tf_mobilenetv3_large_100": About((224, 224, 3), 5_483_032, "the same, as TensorFlow"),
    "efficientnet_b0": About((224, 224, 3), 5_288_548, "Tan & Le 2019"),
    "efficientnet_b1": About((240, 240, 3), 7_794_184, "Tan & Le 2019"),
    "efficientnet_b2": About((260, 260, 3), 9_109_994, "Tan & Le 2019"),
    "efficientnet_b3": About((300, 300, 3), 12_233_232, "Tan & Le 2019"),
    "efficientnet_b4": About((380, 380, 3), 19_341_616, "Tan & Le 2019"),
    "efficientnet_lite0": About((224, 224, 3), 4_652_008, "Liu 2020"),
    "efficientnet_lite1": About((240, 240, 3), 5_416_680, "Liu 2020"),
    "efficientnet_lite2": About((260, 260, 3), 6_092_072, "Liu 2020"),
    "efficientnet_lite3": About((280, 280, 3), 8_197_096, "Liu 2020"),
    "efficientnet_lite4": About((300, 300, 3), 13_006_568, "Liu 2020"),
    "tf_efficientnet_b0": About((224, 224, 3), 5_288_548, "the same, as TensorFlow"),
    "tf_efficientnet_b1": About((240, 240, 3), 7_794_184, "the same, as TensorFlow"),
    "tf_efficientnet_b2": About((260, 260, 3), 9_109_994, "the same, as TensorFlow"),
    "tf_efficientnet_b3": About((300, 300, 3), 12_233_232, "the same, as TensorFlow"),
    "tf_efficientnet_b4": About((380, 380, 3), 19_341_616, "the same, as TensorFlow"),
    "convnext_tiny": About((224, 224, 3), 28_589_128, "Liu et al. 2022"),
    "convnext_small": About((224, 224, 3), 50_223_688, "Liu et al. 2022"),
    "unet": About((256, 256, 3), 31_037_698, "Ronneberger 2015; pixels"),
    "fcn_resnet50": About((224, 224, 3), 32_957_013, "Long 2015; pixels"),
}
