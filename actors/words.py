"""The words of room codes: short, plain, hard to mishear over a loud stage, none that sounds like another or like an
order. Two lists of their own, so that nobody has to wonder which half comes first."""

_FIRST = """
amber apple april arctic autumn azure balmy bamboo basic beige better big bitter black blue bold bonus brave breezy
brief bright bronze brown bubbly busy butter candid candy careful caring carmine casual cedar charming cheerful cherry
chief chilly citrus civic clean clear clever cobalt coconut cold comic copper coral cosmic cosy cotton country crafty
creamy crimson crisp crystal curious curly dainty dandy dapper daring dazzling decent deep denim desert digital
distant double dreamy dusty eager early earnest earthy east easy ebony elder electric elegant emerald epic equal even
extra fabled fair famous fancy fearless festive fine first fluffy flying fond fragrant frank free fresh friendly
frosty fruity funny fuzzy gallant garden gentle giant giddy gifted ginger glad glossy golden good graceful grand green
handy happy hardy hazel hearty helpful hidden high honest humble icy indigo inner ivory jade jazzy jolly jovial joyful
jumbo junior keen kind large late lavender lazy lemon light lilac lively local lofty loud loyal lucky lunar magic
major maple marble maroon mellow merry mighty mild mint misty modern modest morning mossy musical mystic native neat
nice nimble noble north novel olive orange orchid outer pastel peach pearl pepper perky pink plain playful plucky plum
polar polite prime proud purple quick quiet radiant rapid rare ready red regal rich ripe robust rocky rosy round royal
ruby rustic saffron sandy scarlet secret senior serene sharp shiny silent silky silver simple sleepy smart smooth
snowy sober soft solar solid sonic south sparkly spicy spotted spring square stable starry steady stellar sturdy
subtle sugar summer sunny super sure sweet swift tall tame tangy tasty teal tender tidy timber tiny topaz tropical
true trusty turbo turquoise unique upper urban valid vanilla vast velvet violet vivid warm wavy west white whole wild
windy winter wise witty wooden woolly yellow young zesty
"""

_SECOND = """
acorn actor album alley almond anchor angle ankle apron arcade arch arena artist atlas attic avenue badge badger bagel
bakery ballad balloon banana banjo banner barn basket bazaar beach beacon beaver bell bench bicycle bingo biscuit
bison blanket blossom boat bonfire book boot bottle boulder bracelet branch bread bridge broccoli brook broom brush
bucket buffalo bugle bus bush butterfly button cabin cactus cake camel camera camp canal candle canoe canyon captain
caravan cargo carnival carpet carrot cart castle cello chalk chapel chariot cheese chess chestnut choir chorus cinema
circle circus clarinet cliff clock cloud clover coach coffee comet compass concert cookie corner cottage coyote cradle
crane crater crayon creek cricket crown cupcake curtain cushion daisy dancer deer diamond dinner dolphin donkey door
dragon drawer drum duck eagle easel echo elbow elephant engine envelope falcon farmer feather fence fern fiddle field
finger finch flag flamingo flute forest fork fossil fountain fox galaxy gallery gate gazebo gecko giraffe glacier
glove goat goose gospel grape grove guitar hammer hammock harbor harp hat hedgehog helmet heron hill hippo horizon
hotel igloo iguana island jacket jaguar jigsaw jungle kangaroo kayak kettle kitchen kite kitten koala ladder lagoon
lake lantern lark laurel leaf library lily lion lizard lobster lodge lotus magnet mandolin mango marina market meadow
melody melon meteor mill mirror mitten monkey moon moose mosaic mountain muffin museum mushroom napkin narwhal needle
nest noodle notebook oak oasis ocean octopus opera orchard otter owl paddle paint palace panda panther parade park
parrot pavilion peacock pebble pelican pencil penguin piano picnic pigeon pillow pine planet plaza pocket poem polka
pond pony poppy potato prairie pretzel puffin pumpkin puppet puzzle pyramid quartz quilt rabbit raccoon radio radish
rainbow raven reef ribbon river robin rocket rooster saddle sailor salad sandal sandwich sapling saxophone scarf
school scooter seal shadow shell ship shoe sketch ski slipper sofa song sparrow spider spoon squirrel stadium stage
star station statue strudel studio sunset swan table tango teapot temple tent theater thunder ticket tiger toast
tomato tower town tractor trail train trombone trumpet tulip tunnel turtle umbrella valley vase village viola violin
volcano waffle wagon walnut walrus waltz waterfall whale whistle willow window wizard wolf yacht yoyo zebra zeppelin
"""

FIRST = tuple(_FIRST.split())
SECOND = tuple(_SECOND.split())
