"""The facts of the demo model's small world, as plain tables.

Everything here was written for this project. `corpus.py` turns the tables into
questions and answers.
"""

COLORS = {
    "blue": "the sky|the sea|the ocean|a blueberry|a blue whale|a sapphire",
    "green": "grass|a leaf|a frog|a cucumber|a pea|a lime|spinach|broccoli|a cactus|an emerald|a crocodile|lettuce|a kiwi",
    "yellow": "the sun|a banana|a lemon|a sunflower|a chick|corn|butter|a canary",
    "red": "blood|a tomato|a strawberry|a cherry|a rose|a fire truck|a ladybug|a stop sign|a ruby|ketchup|a raspberry",
    "white": "snow|milk|a cloud|salt|a swan|a polar bear|rice|flour|a tooth|cotton|an egg",
    "black": "coal|the night|a raven|a crow|a tire|ink|a shadow|tar",
    "orange": "a carrot|a pumpkin|an orange|a goldfish|a tangerine",
    "brown": "chocolate|coffee|a bear|wood|soil|mud|a potato|a walnut|cocoa|tree bark",
    "pink": "a pig|a flamingo|bubble gum",
    "purple": "an eggplant|a plum|lavender|a violet|a grape",
    "gray": "an elephant|a mouse|a stone|ash|a rhino|a dolphin|a rain cloud",
}

# name | sound | legs | young | home | class | food | flies
ANIMALS = """
dog|woof|4|puppy|in a kennel|mammal|meat|no
cat|meow|4|kitten|in a house|mammal|mice|no
cow|moo|4|calf|on a farm|mammal|grass|no
horse|neigh|4|foal|in a stable|mammal|hay|no
sheep|baa|4|lamb|on a farm|mammal|grass|no
goat|maa|4|kid|on a farm|mammal|grass|no
pig|oink|4|piglet|in a sty|mammal|vegetables|no
donkey|hee-haw|4|foal|in a stable|mammal|hay|no
duck|quack|2|duckling|on a pond|bird|water plants|yes
chicken|cluck|2|chick|in a coop|bird|grain|
rooster|cock-a-doodle-doo|2|chick|in a coop|bird|grain|
goose|honk|2|gosling|on a pond|bird|grass|yes
turkey|gobble|2|poult|on a farm|bird|grain|
frog|ribbit|4|tadpole|in a pond|amphibian|flies|no
lion|roar|4|cub|in the savanna|mammal|meat|no
tiger|roar|4|cub|in the jungle|mammal|meat|no
bear|growl|4|cub|in the forest|mammal|berries and fish|no
polar bear|growl|4|cub|in the Arctic|mammal|seals|no
wolf|howl|4|pup|in the forest|mammal|meat|no
fox|yip|4|kit|in a den|mammal|mice|no
owl|hoot|2|owlet|in a tree|bird|mice|yes
crow|caw|2|chick|in a nest|bird|seeds and insects|yes
pigeon|coo|2|squab|in the city|bird|seeds|yes
eagle|screech|2|eaglet|in the mountains|bird|fish|yes
parrot|squawk|2|chick|in the jungle|bird|fruit|yes
swan||2|cygnet|on a lake|bird|water plants|yes
penguin||2|chick|in Antarctica|bird|fish|no
ostrich||2|chick|in the savanna|bird|plants|no
mouse|squeak|4|pup|in a hole|mammal|seeds|no
rat|squeak|4|pup|in a hole|mammal|seeds|no
bat|squeak|2|pup|in a cave|mammal|insects|yes
snake|hiss|0|hatchling|in the grass|reptile|mice|no
lizard||4|hatchling|in the desert|reptile|insects|no
turtle||4|hatchling|in the sea|reptile|sea plants|no
crocodile||4|hatchling|in a river|reptile|meat|no
bee|buzz|6|larva|in a hive|insect|nectar|yes
ant||6|larva|in an anthill|insect|leaves and crumbs|
butterfly||6|caterpillar|in a garden|insect|nectar|yes
cricket|chirp|6|nymph|in the grass|insect|plants|
spider||8|spiderling|in a web|arachnid|insects|no
crab||10||on the beach|crustacean|small sea animals|no
elephant|trumpet|4|calf|in the savanna|mammal|leaves and grass|no
giraffe||4|calf|in the savanna|mammal|leaves|no
zebra||4|foal|in the savanna|mammal|grass|no
hippo||4|calf|in a river|mammal|grass|no
rhino||4|calf|in the savanna|mammal|grass|no
camel||4|calf|in the desert|mammal|desert plants|no
kangaroo||2|joey|in Australia|mammal|grass|no
koala|||joey|in Australia|mammal|eucalyptus leaves|no
panda||4|cub|in China|mammal|bamboo|no
monkey|ooh-ooh||infant|in the jungle|mammal|fruit|no
rabbit||4|kit|in a burrow|mammal|carrots and grass|no
squirrel||4|kit|in a tree|mammal|nuts|no
deer||4|fawn|in the forest|mammal|leaves and grass|no
hedgehog||4|hoglet|in a garden|mammal|insects|no
fish||0|fry|in the water|fish|water plants|no
shark||0|pup|in the sea|fish|fish|no
whale||0|calf|in the sea|mammal|krill|no
dolphin|click|0|calf|in the sea|mammal|fish|no
seal|||pup|in the sea|mammal|fish|no
snail||0||in a garden|mollusk|leaves|no
"""

# country | capital | continent
CAPITALS = """
France|Paris|Europe
Germany|Berlin|Europe
Italy|Rome|Europe
Spain|Madrid|Europe
Portugal|Lisbon|Europe
Greece|Athens|Europe
England|London|Europe
Ireland|Dublin|Europe
Poland|Warsaw|Europe
Austria|Vienna|Europe
Belgium|Brussels|Europe
Denmark|Copenhagen|Europe
Sweden|Stockholm|Europe
Norway|Oslo|Europe
Finland|Helsinki|Europe
Iceland|Reykjavik|Europe
Hungary|Budapest|Europe
Romania|Bucharest|Europe
Bulgaria|Sofia|Europe
Croatia|Zagreb|Europe
Ukraine|Kyiv|Europe
Russia|Moscow|
Turkey|Ankara|
the Netherlands|Amsterdam|Europe
Switzerland|Bern|Europe
the Czech Republic|Prague|Europe
Japan|Tokyo|Asia
China|Beijing|Asia
India|New Delhi|Asia
South Korea|Seoul|Asia
Thailand|Bangkok|Asia
Vietnam|Hanoi|Asia
Iran|Tehran|Asia
Iraq|Baghdad|Asia
Egypt|Cairo|Africa
Kenya|Nairobi|Africa
Morocco|Rabat|Africa
Ghana|Accra|Africa
Canada|Ottawa|North America
the United States|Washington|North America
Mexico|Mexico City|North America
Cuba|Havana|North America
Brazil|Brasilia|South America
Argentina|Buenos Aires|South America
Chile|Santiago|South America
Peru|Lima|South America
Colombia|Bogota|South America
Australia|Canberra|Australia
New Zealand|Wellington|
"""

OPPOSITES = """
hot cold|big small|up down|left right|day night|black white|happy sad|fast slow|old young|good bad|open closed
long short|high low|hard soft|wet dry|full empty|light dark|early late|rich poor|strong weak|clean dirty|loud quiet
in out|over under|near far|first last|true false|easy difficult|thick thin|wide narrow|heavy light|love hate
win lose|start stop|begin end|buy sell|push pull|come go|give take|laugh cry|remember forget|find lose|wake sleep
north south|east west|inside outside|above below|before after|yes no|always never|more less|many few|same different
awake asleep|alive dead|sweet sour|sharp blunt|smooth rough|tall short|cheap expensive|brave afraid|kind mean
safe dangerous|front back|top bottom|summer winter|friend enemy|question answer|boy girl|man woman|king queen
brother sister|father mother|uncle aunt|morning evening|war peace|noisy silent|deep shallow|simple complex
right wrong|smart stupid|beautiful ugly|polite rude|tight loose|enter exit|arrive leave|increase decrease
teach learn|build destroy|accept refuse|arrive depart|lend borrow|raise lower|sink float|melt freeze|whisper shout
"""

IRREGULAR_PLURALS = {
    "mouse": "mice", "foot": "feet", "tooth": "teeth", "goose": "geese", "man": "men", "woman": "women",
    "child": "children", "sheep": "sheep", "fish": "fish", "deer": "deer", "ox": "oxen", "person": "people",
    "leaf": "leaves", "wolf": "wolves", "knife": "knives", "life": "lives", "wife": "wives", "half": "halves",
    "shelf": "shelves", "thief": "thieves", "potato": "potatoes", "tomato": "tomatoes", "hero": "heroes",
    "cactus": "cacti", "calf": "calves", "loaf": "loaves", "scarf": "scarves", "larva": "larvae",
    "fireman": "firemen", "spacecraft": "spacecraft", "hippo": "hippos", "rhino": "rhinos",
}

PLURAL_NOUNS = """
cat dog house tree car book box bus fox dish brush watch church baby city lady story berry cherry fly party key boy
day toy girl apple banana table chair cup glass dress bird cow horse pig duck hen frog lion tiger bear apple egg
flower garden river lake mountain star cloud king queen friend teacher doctor school room door window bed lamp clock
spoon fork plate bottle hat shoe sock shirt coat ball game song letter word number road bridge boat ship train plane
bike truck finger hand eye ear nose arm leg bone brother sister family country puppy kitten pony bunny bench peach
mouse foot tooth goose man woman child sheep fish deer ox person leaf wolf knife life wife half shelf thief potato
tomato hero cactus calf loaf scarf
"""

# noun -> kind, each "A NOUN is a KIND."
KINDS = {
    "fruit": "apple banana orange pear grape cherry strawberry lemon peach plum mango melon kiwi pineapple blueberry",
    "vegetable": "carrot potato onion cabbage pea cucumber pumpkin radish turnip beet leek",
    "tool": "hammer saw screwdriver drill wrench shovel rake",
    "piece of furniture": "table chair bed sofa desk shelf wardrobe",
    "vehicle": "car bus train bicycle truck plane ship boat motorcycle tractor",
    "musical instrument": "piano guitar violin flute drum trumpet harp",
    "flower": "rose tulip daisy sunflower lily violet",
    "tree": "oak pine birch maple willow",
    "toy": "doll ball kite puzzle",
    "piece of clothing": "shirt coat hat sock scarf dress sweater",
    "building": "house school church castle tower hospital",
    "shape": "circle square triangle rectangle",
}

# The same for names that take no article.
PLAIN_KINDS = {
    "color": "red blue green yellow purple black white pink brown gray",
    "planet": "Mercury Venus Mars Jupiter Saturn Uranus Neptune",
    "drink": "milk tea coffee juice lemonade",
}

LISTS = {
    "animals": "a dog|a cat|a horse|a lion|a bird|a fish|a rabbit|a bear",
    "farm animals": "a cow|a pig|a sheep|a horse|a goat|a chicken",
    "colors": "red|blue|green|yellow|orange|purple|black|white",
    "fruits": "an apple|a banana|an orange|a pear|a cherry|a grape",
    "vegetables": "a carrot|a potato|an onion|a pea|a cabbage|a cucumber",
    "days": "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday",
    "months": "January|February|March|April|May|June|July|August",
    "countries": "France|Germany|Italy|Spain|Japan|Brazil|Egypt|Canada",
    "planets": "Mercury|Venus|Earth|Mars|Jupiter|Saturn|Uranus|Neptune",
    "seasons": "spring|summer|autumn|winter",
    "shapes": "a circle|a square|a triangle|a rectangle",
    "birds": "a duck|an owl|an eagle|a parrot|a swan|a penguin",
    "insects": "a bee|an ant|a butterfly|a cricket",
    "tools": "a hammer|a saw|a drill|a shovel|a rake",
    "toys": "a ball|a doll|a kite|a puzzle",
    "drinks": "water|milk|tea|coffee|juice",
    "vehicles": "a car|a bus|a train|a plane|a ship",
    "musical instruments": "a piano|a guitar|a violin|a flute|a drum",
}

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = ("January February March April May June July August September October November December").split()
MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
ORDINALS = ("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth").split()
NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
).split()

# From the smallest to the biggest; every pair may be compared.
SIZES = (
    "a flea|an ant|a bee|a mouse|a frog|a cat|a sheep|a lion|a cow|an elephant|a bus|a whale|"
    "a mountain|the moon|the earth|the sun"
).split("|")
SPEEDS = "a snail|a turtle|a bicycle|a horse|a car|a plane|a rocket".split("|")

RHYMES = """
cat hat|dog log|house mouse|tree bee|star car|cake lake|ring king|moon spoon|boat goat|bear chair|fox box|pig wig
sun run|bed red|day play|night light|rain train|cold gold|ball tall|fish dish|frog log|book look|snow go|blue shoe
man pan|hen ten|bug rug|nose rose|clock sock|sheep sleep
"""

JOBS = {
    "bread": ("baker", "bakes bread"), "sick": ("doctor", "helps sick people"), "children": ("teacher", "teaches children"),
    "fire": ("firefighter", "puts out fires"), "fields": ("farmer", "grows food on a farm"),
    "plane": ("pilot", "flies a plane"), "meals": ("cook", "cooks meals"), "pictures": ("painter", "paints pictures"),
    "books": ("writer", "writes books"), "teeth": ("dentist", "takes care of teeth"),
    "animals": ("vet", "helps sick animals"), "hair": ("hairdresser", "cuts hair"),
    "letters": ("mail carrier", "brings letters"), "space": ("astronaut", "flies into space"),
    "fishing": ("fisherman", "catches fish"), "clothes": ("tailor", "makes clothes"), "songs": ("singer", "sings songs"),
}

# answer | accepted substring | raw start ~ raw end | questions; "!" marks a question held out from training
FACTS = """
A week has 7 days.|7|A week has~ 7 days.|How many days are in a week?|How many days does a week have?|How many days make a week?|What is the number of days in a week?|Days in a week?|How many days are there in a week?|How many days are in one week?|How many days does one week have?|One week has how many days?|!How many days are there in one week?
A year has 12 months.|12|A year has~ 12 months.|How many months are in a year?|How many months does a year have?|How many months make a year?|What is the number of months in a year?|How many months are there in a year?|How many months are in one year?|How many months does one year have?|One year has how many months?|!How many months are there in one year?
A year has 365 days.|365|The number of days in a year is~ 365.|How many days are in a year?|How many days does a year have?|How many days make a year?|What is the number of days in a year?|How many days are there in a year?|How many days are in one year?|How many days does one year have?|One year has how many days?|!How many days are there in one year?
A day has 24 hours.|24|A day has~ 24 hours.|How many hours are in a day?|How many hours does a day have?|How many hours make a day?|What is the number of hours in a day?|How many hours are there in a day?|How many hours are in one day?|How many hours does one day have?|One day has how many hours?|!How many hours are there in one day?
An hour has 60 minutes.|60|An hour has~ 60 minutes.|How many minutes are in an hour?|How many minutes does an hour have?|How many minutes make an hour?|What is the number of minutes in an hour?|How many minutes are there in an hour?|How many minutes are in one hour?|How many minutes does one hour have?|One hour has how many minutes?|!How many minutes are there in one hour?
A minute has 60 seconds.|60|A minute has~ 60 seconds.|How many seconds are in a minute?|How many seconds does a minute have?|How many seconds make a minute?|What is the number of seconds in a minute?|How many seconds are there in a minute?|How many seconds are in one minute?|How many seconds does one minute have?|One minute has how many seconds?|!How many seconds are there in one minute?
A year has 4 seasons: spring, summer, autumn and winter.|4|The four seasons are~ spring, summer, autumn and winter.|How many seasons are there?|How many seasons does a year have?|What are the four seasons?|What are the seasons of the year?|How many seasons are in a year?|Which seasons are there?|Which seasons are in a year?|What seasons does a year have?|!Which seasons does a year have?
The alphabet has 26 letters.|26|The alphabet has~ 26 letters.|How many letters are in the alphabet?|How many letters does the alphabet have?|How many letters make the alphabet?|How many letters are there?|How many letters has the alphabet?|The alphabet has how many letters?|!How many letters are there in the alphabet?
Bees make honey.|honey|Bees make~ honey.|What do bees make?|What does a bee make?|What do bees produce?|Bees make what?|What is it that bees make?|What food is made by a bee?|Who makes honey?|!What is made by bees?
Cows give milk.|milk|Cows give us~ milk.|What do cows give us?|What does a cow give?|What do we get from cows?|What do cows produce?|What do people get from cows?|What do we get from a cow?|Who gives us milk?|!What do people get from a cow?
Chickens lay eggs.|eggs|Chickens lay~ eggs.|What do chickens lay?|What do hens lay?|What does a chicken lay?|What do we get from chickens?|What does one hen lay?|What do we get from a hen?|Who lays eggs?|!What does a hen lay?
Sheep give wool.|wool|Sheep give us~ wool.|What do sheep give us?|What do we get from sheep?|Where does wool come from?|What does a sheep give?|Which animal gives us wool?|What animal gives wool?|Which animals have wool?|!Which animal gives wool?
Ice is frozen water.|water|Ice is made of~ frozen water.|What is ice?|What is ice made of?|What is frozen water?|What does water become when it freezes?|What do you call frozen water?|What do we get when water freezes?|How do we call frozen water?|!What do we call frozen water?
Snow is cold.|cold|Snow is~ cold.|Is snow hot or cold?|Is snow cold?|How does snow feel?|Is snow cold or hot?|Does snow feel cold?|Snow: hot or cold?|Does snow feel hot?|!Does snow feel hot or cold?
Fire is hot.|hot|Fire is~ hot.|Is fire hot or cold?|Is fire hot?|How does fire feel?|Is fire cold or hot?|Does fire feel cold?|Fire: hot or cold?|Does fire feel hot?|!Does fire feel hot or cold?
Ice is cold.|cold|Ice feels~ cold.|Is ice hot or cold?|Is ice cold?|How does ice feel?|Is ice cold or hot?|Does ice feel cold?|Ice: hot or cold?|Does ice feel hot?|!Does ice feel hot or cold?
Sugar is sweet.|sweet|Sugar tastes~ sweet.|How does sugar taste?|What does sugar taste like?|Is sugar sweet?|What taste does sugar have?|What taste is in sugar?|Which taste does sugar have?|What is the flavor of sugar?|!What is the taste of sugar?
A lemon is sour.|sour|A lemon tastes~ sour.|How does a lemon taste?|What does a lemon taste like?|Is a lemon sour?|Is a lemon sweet or sour?|What taste is in a lemon?|Which taste does a lemon have?|What is the flavor of a lemon?|!What is the taste of a lemon?
The sun shines during the day.|day|The sun shines during the~ day.|When does the sun shine?|When do we see the sun?|When is the sun in the sky?|At which time does the sun shine?|What time of day does the sun shine?|When can we see the sun?|When is there light from the sun?|!At what time does the sun shine?
The moon shines at night.|night|The moon shines at~ night.|When does the moon shine?|When do we see the moon?|When is the moon in the sky?|At which time does the moon shine?|What time of day does the moon shine?|When can we see the moon?|When is there light from the moon?|!At what time does the moon shine?
The sun rises in the east.|east|The sun rises in the~ east.|Where does the sun rise?|Where does the sun come up?|In which direction does the sun rise?|Where is sunrise?|On what side does the sun rise?|On which side of the sky does the sun rise?|At which side does the sun rise?|!On which side does the sun rise?
The sun sets in the west.|west|The sun sets in the~ west.|Where does the sun set?|Where does the sun go down?|In which direction does the sun set?|Where is sunset?|On what side does the sun set?|On which side of the sky does the sun set?|At which side does the sun set?|!On which side does the sun set?
The earth goes around the sun.|sun|The earth goes around the~ sun.|What does the earth go around?|What does the earth orbit?|What does the earth move around?|What does the earth circle?|What is in the middle when the earth circles?|What does our earth go around?|!What does our earth circle?
The moon goes around the earth.|earth|The moon goes around the~ earth.|What does the moon go around?|What does the moon orbit?|What does the moon move around?|What does the moon circle?|What is in the middle when the moon circles?|What does our moon go around?|!What does our moon circle?
We live on the planet Earth.|Earth|We live on the planet~ Earth.|What planet do we live on?|On which planet do we live?|Which planet is our home?|What is the name of our planet?|What planet do you live on?|On what planet do people live?|Which planet do people live on?|!What planet do people live on?
Jupiter is the biggest planet.|Jupiter|The biggest planet is~ Jupiter.|What is the biggest planet?|What is the largest planet?|Which planet is the biggest?|Which planet is the largest?|Say the biggest planet|Tell me the biggest planet|Can you name the biggest planet?|The biggest planet?|Do you know the biggest planet?|Give me the biggest planet|!Name the biggest planet.
Mars is called the red planet.|Mars|The red planet is~ Mars.|Which planet is red?|What is the red planet?|Which planet is called the red planet?|Say the red planet|Tell me the red planet|Can you name the red planet?|The red planet?|Do you know the red planet?|Give me the red planet|!Name the red planet.
There are 8 planets around the sun.|8|The number of planets around the sun is~ 8.|How many planets are there?|How many planets are in the solar system?|How many planets go around the sun?|What is the number of planets around the sun?|The number of planets?|Number of planets?|!What is the number of planets?
The whale is the biggest animal.|whale|The biggest animal is the~ whale.|What is the biggest animal?|Which animal is the biggest?|What is the largest animal?|Which animal is the largest?|Say the biggest animal|Tell me the biggest animal|Can you name the biggest animal?|The biggest animal?|Do you know the biggest animal?|Give me the biggest animal|!Name the biggest animal.
The giraffe is the tallest animal.|giraffe|The tallest animal is the~ giraffe.|What is the tallest animal?|Which animal is the tallest?|Which animal has a long neck?|What animal has a very long neck?|Say the tallest animal|Tell me the tallest animal|Can you name the tallest animal?|The tallest animal?|Do you know the tallest animal?|Give me the tallest animal|!Name the tallest animal.
The cheetah is the fastest land animal.|cheetah|The fastest land animal is the~ cheetah.|What is the fastest animal?|Which animal is the fastest?|What is the fastest land animal?|Which animal runs the fastest?|Say the fastest animal|Tell me the fastest animal|Can you name the fastest animal?|The fastest animal?|Do you know the fastest animal?|Give me the fastest animal|!Name the fastest animal.
The lion is called the king of the animals.|lion|The king of the animals is the~ lion.|Who is the king of the animals?|Which animal is the king?|Who is the king of the jungle?|What animal is called the king?|Which animal is the king of animals?|Which beast is the king?|Who is the king of beasts?|!Which animal is the king of the beasts?
Mount Everest is the highest mountain.|Everest|The highest mountain is~ Mount Everest.|What is the highest mountain?|Which mountain is the highest?|What is the tallest mountain?|Which mountain is the tallest?|Say the highest mountain|Tell me the highest mountain|Can you name the highest mountain?|The highest mountain?|Do you know the highest mountain?|Give me the highest mountain|!Name the highest mountain.
The Pacific is the biggest ocean.|Pacific|The biggest ocean is the~ Pacific.|What is the biggest ocean?|Which ocean is the biggest?|What is the largest ocean?|Which ocean is the largest?|Say the biggest ocean|Tell me the biggest ocean|Can you name the biggest ocean?|The biggest ocean?|Do you know the biggest ocean?|Give me the biggest ocean|!Name the biggest ocean.
A triangle has 3 sides.|3|A triangle has~ 3 sides.|How many sides does a triangle have?|How many sides are in a triangle?|How many corners does a triangle have?|What is the number of sides of a triangle?|How many sides has one triangle?|A triangle has how many sides?|How many sides are there on a triangle?|Count the sides of a triangle|!How many sides has a triangle?
A square has 4 sides.|4|A square has~ 4 sides.|How many sides does a square have?|How many sides are in a square?|How many corners does a square have?|What is the number of sides of a square?|How many sides has one square?|A square has how many sides?|How many sides are there on a square?|Count the sides of a square|!How many sides has a square?
A circle has no corners.|no corners|A circle has~ no corners.|How many corners does a circle have?|Does a circle have corners?|How many sides does a circle have?|How many corners has one circle?|A circle has how many corners?|How many corners are there on a circle?|Count the corners of a circle|!How many corners has a circle?
A ball is round.|round|A ball is~ round.|What shape is a ball?|What is the shape of a ball?|Is a ball round?|What shape does a ball have?|Which shape does a ball have?|What form does a ball have?|What is the form of a ball?|!Which shape is a ball?
A hand has 5 fingers.|5|A hand has~ 5 fingers.|How many fingers does a hand have?|How many fingers are on a hand?|How many fingers are on one hand?|How many fingers has one hand?|A hand has how many fingers?|How many fingers are there on a hand?|Count the fingers of a hand|!How many fingers has a hand?
People have 10 fingers.|10|Two hands have~ 10 fingers.|How many fingers do people have?|How many fingers do I have?|How many fingers does a person have?|How many fingers are on two hands?|How many fingers has one person?|A person has how many fingers?|How many fingers are there on a person?|Count the fingers of a person|!How many fingers has a person?
People have 2 eyes.|2|People have~ 2 eyes.|How many eyes do people have?|How many eyes do I have?|How many eyes does a person have?|How many eyes has one person?|A person has how many eyes?|How many eyes are there on a person?|Count the eyes of a person|!How many eyes has a person?
People have 2 legs.|2|People have~ 2 legs.|How many legs do people have?|How many legs do I have?|How many legs does a person have?|How many legs has one person?|A person has how many legs?|How many legs are there on a person?|Count the legs of a person|!How many legs has a person?
We see with our eyes.|eyes|We see with our~ eyes.|What do we see with?|What do you use to see?|What do we use to see?|What do people use to see?|What do people see with?|What are eyes for?|What do people use for seeing?|What is used for seeing?|What do you use for seeing?|What do I need for seeing?|What is good for seeing?|With what do we see?|!What do we use for seeing?
We hear with our ears.|ears|We hear with our~ ears.|What do we hear with?|What do you use to hear?|What do we use to hear?|What do people use to hear?|What do people hear with?|What are ears for?|What do people use for hearing?|What is used for hearing?|What do you use for hearing?|What do I need for hearing?|What is good for hearing?|With what do we hear?|!What do we use for hearing?
We smell with our nose.|nose|We smell with our~ nose.|What do we smell with?|What do you use to smell?|What do we use to smell?|What do people use to smell?|What do people smell with?|What is a nose for?|What do people use for smelling?|What is used for smelling?|What do you use for smelling?|What do I need for smelling?|What is good for smelling?|With what do we smell?|!What do we use for smelling?
We taste with our tongue.|tongue|We taste with our~ tongue.|What do we taste with?|What do you use to taste?|What do we use to taste?|What do people use to taste?|What do people taste with?|What is a tongue for?|What do people use for tasting?|What is used for tasting?|What do you use for tasting?|What do I need for tasting?|What is good for tasting?|With what do we taste?|!What do we use for tasting?
We walk with our legs.|legs|We walk with our~ legs.|What do we walk with?|What do you use to walk?|What do we use to walk?|What do people use to walk?|What do people walk with?|What are legs for?|What do people use for walking?|What is used for walking?|What do you use for walking?|What do I need for walking?|What is good for walking?|With what do we walk?|!What do we use for walking?
We write with a pen.|pen|We write with a~ pen.|What do we write with?|What do you use to write?|What do we use to write?|What do people use to write?|What do people write with?|What is a pen for?|What do people use for writing?|What is used for writing?|What do you use for writing?|What do I need for writing?|What is good for writing?|With what do we write?|!What do we use for writing?
We cut with a knife.|knife|We cut with a~ knife.|What do we cut with?|What do you use to cut?|What do we use to cut?|What do people use to cut?|What do people cut with?|What is a knife for?|What do people use for cutting?|What is used for cutting?|What do you use for cutting?|What do I need for cutting?|What is good for cutting?|With what do we cut?|!What do we use for cutting?
We eat soup with a spoon.|spoon|We eat soup with a~ spoon.|What do we eat soup with?|What do you use to eat soup?|What do we use to eat soup?|What do people use to eat soup?|What do people eat soup with?|What is a spoon for?|What do people use for eating soup?|What is used for eating soup?|What do you use for eating soup?|What do I need for eating soup?|What is good for eating soup?|With what do we eat soup?|!What do we use for eating soup?
We sleep in a bed.|bed|We sleep in a~ bed.|Where do we sleep?|Where do people sleep?|What do we sleep in?|What is a bed for?|In which thing do people sleep?|What is it that people sleep in?|!In what do people sleep?
We read a book.|book|We can read a~ book.|What do we read?|What can you read?|What do people read?|What is a book for?|What do we use for reading?|What can we read?|What do people use to read?|!What is good for reading?
When we are thirsty we drink water.|water|When we are thirsty we drink~ water.|What do we drink when we are thirsty?|What should I drink when I am thirsty?|I am thirsty. What should I drink?|What do people drink?|What is the best to drink when you are thirsty?|Tell me what to drink when you are thirsty|What should we drink when you are thirsty?|!What is good to drink when you are thirsty?
When we are hungry we eat food.|food|When we are hungry we eat~ food.|What do we do when we are hungry?|What should I do when I am hungry?|What do we eat when we are hungry?|What is the best to do when you are hungry?|Tell me what to do when you are hungry|What should we do when you are hungry?|!What is good to do when you are hungry?
When we are tired we sleep.|sleep|When we are tired we~ sleep.|What do we do when we are tired?|What should I do when I am tired?|What do people do at night?|What is the best to do when you are tired?|Tell me what to do when you are tired|What should we do when you are tired?|!What is good to do when you are tired?
When it rains we use an umbrella.|umbrella|When it rains we use an~ umbrella.|What do we use when it rains?|What do you need when it rains?|What should I take when it rains?|What keeps us dry in the rain?|What is the best to have when it rains?|Tell me what to have when it rains|What should we have when it rains?|!What is good to have when it rains?
Rain comes from clouds.|clouds|Rain comes from~ clouds.|Where does rain come from?|What does rain come from?|What makes rain?|Where does the rain come from?|From where does rain come?|From where does the rain come?|Where does rain fall from?|!From where does rain fall?
Winter is the coldest season.|inter|The coldest season is~ winter.|What is the coldest season?|Which season is the coldest?|When does it snow?|In which season does it snow?|Say the coldest season|Tell me the coldest season|Can you name the coldest season?|The coldest season?|Do you know the coldest season?|Give me the coldest season|!Name the coldest season.
Summer is the warmest season.|ummer|The warmest season is~ summer.|What is the warmest season?|Which season is the warmest?|What is the hottest season?|Which season is the hottest?|Say the warmest season|Tell me the warmest season|Can you name the warmest season?|The warmest season?|Do you know the warmest season?|Give me the warmest season|!Name the warmest season.
After spring comes summer.|summer|After spring comes~ summer.|What season comes after spring?|Which season comes after spring?|Which season follows spring?|After spring comes what season?|What is the season after spring?|After spring there is which season?|What comes after spring?|!After spring comes which season?
After summer comes autumn.|autumn|After summer comes~ autumn.|What season comes after summer?|Which season comes after summer?|Which season follows summer?|After summer comes what season?|What is the season after summer?|After summer there is which season?|What comes after summer?|!After summer comes which season?
After autumn comes winter.|winter|After autumn comes~ winter.|What season comes after autumn?|Which season comes after autumn?|Which season follows autumn?|After autumn comes what season?|What is the season after autumn?|After autumn there is which season?|What comes after autumn?|!After autumn comes which season?
After winter comes spring.|spring|After winter comes~ spring.|What season comes after winter?|Which season comes after winter?|Which season follows winter?|After winter comes what season?|What is the season after winter?|After winter there is which season?|What comes after winter?|!After winter comes which season?
Fish swim in the water.|water|Fish swim in the~ water.|Where do fish swim?|Where does a fish swim?|What do fish swim in?|In which thing do fish swim?|What is it that fish swim in?|!In what do fish swim?
Birds fly in the sky.|sky|Birds fly in the~ sky.|Where do birds fly?|Where does a bird fly?|What do birds fly in?|In which thing do birds fly?|What is it that birds fly in?|!In what do birds fly?
Birds have feathers and wings.|feathers|Birds have~ feathers and wings.|What do birds have?|What does a bird have?|What covers a bird?|What are birds covered with?|A bird is covered with what?|What is on a bird?|!Birds are covered with what?
Trees have leaves.|leaves|Trees have~ leaves.|What do trees have?|What does a tree have?|What grows on trees?|What grows on a tree?|What do you see on a tree?|What can we see on trees?|What is on a tree?|!What can you see on a tree?
Plants need water and light.|water and light|Plants need~ water and light.|What do plants need?|What does a plant need?|What do plants need to grow?|What helps plants grow?|What is needed by a plant?|What do all plants need?|What must plants have?|!What is needed by plants?
An octopus has 8 arms.|8|An octopus has~ 8 arms.|How many arms does an octopus have?|How many arms are on an octopus?|How many legs does an octopus have?|How many arms has one octopus?|An octopus has how many arms?|How many arms are there on an octopus?|Count the arms of an octopus|!How many arms has an octopus?
A car has 4 wheels.|4|A car has~ 4 wheels.|How many wheels does a car have?|How many wheels are on a car?|What is the number of wheels of a car?|How many wheels has one car?|A car has how many wheels?|How many wheels are there on a car?|Count the wheels of a car|!How many wheels has a car?
A bicycle has 2 wheels.|2|A bicycle has~ 2 wheels.|How many wheels does a bicycle have?|How many wheels does a bike have?|How many wheels are on a bicycle?|How many wheels has one bicycle?|A bicycle has how many wheels?|How many wheels are there on a bicycle?|Count the wheels of a bicycle|!How many wheels has a bicycle?
A tricycle has 3 wheels.|3|A tricycle has~ 3 wheels.|How many wheels does a tricycle have?|How many wheels are on a tricycle?|What is the number of wheels of a tricycle?|How many wheels has one tricycle?|A tricycle has how many wheels?|How many wheels are there on a tricycle?|Count the wheels of a tricycle|!How many wheels has a tricycle?
A dozen is 12.|12|A dozen is~ 12.|How many is a dozen?|What is a dozen?|How many eggs are in a dozen?|How much is a dozen?|How many things make a dozen?|How many are in a dozen?|A dozen is how many?|!How many things are in a dozen?
A rainbow has 7 colors: red, orange, yellow, green, blue, indigo and violet.|7|The colors of the rainbow are~ red, orange, yellow, green, blue, indigo and violet.|How many colors are in a rainbow?|What are the colors of the rainbow?|How many colors does a rainbow have?|What colors are in a rainbow?|Which colors are in a rainbow?|Which colors has the rainbow?|What colors does a rainbow have?|!Which colors does a rainbow have?
Red and yellow make orange.|orange|Red and yellow make~ orange.|What do red and yellow make?|What color do red and yellow make?|What color do you get from red and yellow?|Mix red and yellow. What do you get?|I mix red and yellow. What color do I get?|What color is red with yellow?|Mix red with yellow. Which color is that?|What happens if you mix red and yellow?|!Mix red and yellow. What color is it?
Blue and yellow make green.|green|Blue and yellow make~ green.|What do blue and yellow make?|What color do blue and yellow make?|What color do you get from blue and yellow?|Mix blue and yellow. What do you get?|I mix blue and yellow. What color do I get?|What color is blue with yellow?|Mix blue with yellow. Which color is that?|What happens if you mix blue and yellow?|!Mix blue and yellow. What color is it?
Red and blue make purple.|purple|Red and blue make~ purple.|What do red and blue make?|What color do red and blue make?|What color do you get from red and blue?|Mix red and blue. What do you get?|I mix red and blue. What color do I get?|What color is red with blue?|Mix red with blue. Which color is that?|What happens if you mix red and blue?|!Mix red and blue. What color is it?
Black and white make gray.|gray|Black and white make~ gray.|What do black and white make?|What color do black and white make?|What color do you get from black and white?|Mix black and white. What do you get?|I mix black and white. What color do I get?|What color is black with white?|Mix black with white. Which color is that?|What happens if you mix black and white?|!Mix black and white. What color is it?
Bread is made from flour.|flour|Bread is made from~ flour.|What is bread made from?|What is bread made of?|What do you need to make bread?|What do we use to make bread?|What do people use to make bread?|What is bread made with?|From what do you make bread?|!What is used to make bread?
Cheese is made from milk.|milk|Cheese is made from~ milk.|What is cheese made from?|What is cheese made of?|What do you need to make cheese?|What do we use to make cheese?|What do people use to make cheese?|What is cheese made with?|From what do you make cheese?|!What is used to make cheese?
Paper is made from wood.|wood|Paper is made from~ wood.|What is paper made from?|What is paper made of?|What do you need to make paper?|What do we use to make paper?|What do people use to make paper?|What is paper made with?|From what do you make paper?|!What is used to make paper?
A window is made of glass.|glass|A window is made of~ glass.|What is a window made of?|What is a window made from?|What are windows made of?|What do we use to make a window?|What do people use to make a window?|What is a window made with?|From what do you make a window?|!What is used to make a window?
The first day of the week is Monday.|Monday|The first day of the week is~ Monday.|What is the first day of the week?|Which day is the first day of the week?|Which day starts the week?|On which day does the week start?|Say the first day of the week|Tell me the first day of the week|Can you name the first day of the week?|The first day of the week?|Do you know the first day of the week?|Give me the first day of the week|!Name the first day of the week.
The last day of the week is Sunday.|Sunday|The last day of the week is~ Sunday.|What is the last day of the week?|Which day is the last day of the week?|Which day ends the week?|Say the last day of the week|Tell me the last day of the week|Can you name the last day of the week?|The last day of the week?|Do you know the last day of the week?|Give me the last day of the week|!Name the last day of the week.
The weekend is Saturday and Sunday.|Saturday and Sunday|The weekend is~ Saturday and Sunday.|What is the weekend?|Which days are the weekend?|What days are the weekend?|When is the weekend?|Say the days of the weekend|Tell me the days of the weekend|Can you name the days of the weekend?|The days of the weekend?|Do you know the days of the weekend?|Give me the days of the weekend|!Name the days of the weekend.
The first month of the year is January.|January|The first month of the year is~ January.|What is the first month of the year?|Which month is the first?|Which month starts the year?|Say the first month of the year|Tell me the first month of the year|Can you name the first month of the year?|The first month of the year?|Do you know the first month of the year?|Give me the first month of the year|!Name the first month of the year.
The last month of the year is December.|December|The last month of the year is~ December.|What is the last month of the year?|Which month is the last?|Which month ends the year?|Say the last month of the year|Tell me the last month of the year|Can you name the last month of the year?|The last month of the year?|Do you know the last month of the year?|Give me the last month of the year|!Name the last month of the year.
Christmas is in December.|December|Christmas is in~ December.|When is Christmas?|In which month is Christmas?|What month is Christmas in?|Christmas is in what month?|Christmas comes in which month?|Which month has Christmas?|!Christmas is in which month?
Water boils at 100 degrees.|100|Water boils at~ 100 degrees.|When does water boil?|At what temperature does water boil?|How hot is boiling water?|At which temperature does water boil?|At how many degrees will water boil?|How many degrees make water boil?|!At how many degrees does water boil?
Water freezes at 0 degrees.|0 degrees|Water freezes at~ 0 degrees.|When does water freeze?|At what temperature does water freeze?|How cold is freezing water?|At which temperature does water freeze?|At how many degrees will water freeze?|How many degrees make water freeze?|!At how many degrees does water freeze?
"""

# Small talk: answer | accepted substring | what the user says
TALK = """
Hello! How can I help you?|Hello|Hello|Hi|Hey|Hi there|Hello there|Hey there|Hello!|Hi!|Hiya|Good day|Greetings|Hello friend|Hi friend|Yo|Hello my friend|Hi again|Hey you|Oh hello|Well hi|Hello you|Hello to you|Hey hello|Hi hi|Hello, nice to see you|Good to see you|!Hey friend|!Hello again|!Well hello
Good morning! How can I help you?|Good morning|Good morning|Good morning!|Morning|Good morning to you|Hello, good morning|Hey, good morning|Good morning my friend|Oh, good morning|A good morning to you|!Hi, good morning
Good afternoon! How can I help you?|Good afternoon|Good afternoon|Good afternoon!|Afternoon|Good afternoon to you|Hello, good afternoon|Hey, good afternoon|Good afternoon my friend|Oh, good afternoon|A good afternoon to you|!Hi, good afternoon
Good evening! How can I help you?|Good evening|Good evening|Good evening!|Evening|Good evening to you|Hello, good evening|Hey, good evening|Good evening my friend|Oh, good evening|A good evening to you|!Hi, good evening
Good night! Sleep well.|Good night|Good night|Good night!|Night night|Good night to you|I am going to sleep|I am going to bed|I go to sleep now|I am off to bed|I will go to bed|Time for bed|I must go to bed|Sleep well|!I go to bed now
I am fine, thank you. How are you?|I am fine|How are you?|How are you doing?|How is it going?|How do you do?|How do you feel?|How are you today?|Are you okay?|What's up?|Are you well?|How have you been?|How are you feeling?|How do you feel today?|How is life?|How is everything?|Are you doing well?|Hi, how are you?|Hey, how are you doing?|Hello, how is it going?|How are you my friend?|How is your day?|How are things going?|How goes it?|!How are things?|!How are you feeling today?|!Hello, how are you?
That is good to hear!|good to hear|I am fine|I am good|I am happy|I am well|I am fine, thanks|I am great|I feel good|All good|I am doing well|I am okay|I am happy today|I am very happy|I am so happy|I feel great|I feel very good today|Today I am happy|I feel happy|I am very well|I am glad|I had a good day|I feel fine|I feel good today|Very well, thank you|I am very glad today|!I am very happy today|!I feel great today
I am sorry to hear that. I hope you feel better soon.|sorry to hear|I am sad|I am not well|I feel bad|I am tired|I am sick|I am lonely|I am angry|I feel sad|I had a bad day|I am sad today|I am very sad|I am so sad|I feel very sad|Today I am sad|I am a bit sad today|I feel sick|I am very tired today|I am very sick|I feel bad today|I feel very bad|I am very lonely today|I am unhappy|I do not feel well today|I feel lonely|I am ill today|I am not happy|!I am very sad today|!I feel sick today
You are welcome!|welcome|Thanks|Thank you|Thank you very much|Thanks a lot|Thank you so much|Many thanks|Thanks!|Thank you!|Cheers|Thanks for your help|Thank you for your help|Thank you a lot|Thank you, that helped|Good, thank you|Okay, thank you|Great, thanks|Nice, thank you|Perfect, thanks|Cool, thanks|Wonderful, thank you|Alright, thank you|Oh, thank you|Super, thanks|Very good, thank you|Ok thanks|Thanks, great|Thanks very much|Thank you so so much|Thanks my friend|!Thanks so much|!Great, thank you
Goodbye! Have a nice day.|Goodbye|Bye|Goodbye|Bye bye|See you|See you later|See you soon|Goodbye!|Bye!|I have to go|Farewell|See you tomorrow|I am leaving|Bye then|Goodbye for today|Bye, see you|Ok bye|I must leave|I must go|I have to go now|I need to go|I am going now|That is all, bye|Until tomorrow|Goodbye my friend|Bye my friend|!Bye for now|!I must go now
I can answer simple questions about colors, animals, numbers, days and countries, and tell tiny stories.|simple questions|What can you do?|What do you know?|What can I ask you?|What can I ask?|How can you help me?|Can you help me?|Help me|Help|What are you good at?|What do you know about?|What kind of questions can you answer?|What can you talk about?|What things can you do?|What kind of things can you do?|What sort of things do you know?|What may I ask?|May I ask you something?|Can I ask you something?|What could I ask you?|What should I ask you?|What questions may I ask?|What can I ask you about?|What things can I ask you?|I want help|I need some help|I could use help|Please help me|Could you help me?|Tell me what you can do|What are you able to do?|!What sort of things can you do?|!What may I ask you?|!I need help
I do not have an age. I am a computer program.|do not have an age|How old are you?|What is your age?|Your age?|When is your birthday?|When were you born?|Say your age|Tell me how old you are|May I know your age?|What age are you?|What age do you have?|Do you have an age?|How many years old are you?|Do you have a birthday?|Give me your age|!Tell me your age
I live in your computer.|computer|Where do you live?|Where are you?|Where is your home?|Where are you from?|Where do you come from?|In which place do you live?|What is your home?|Where is your place?|Tell me where you live|Where do you stay?|In what country do you live?|Do you have a home?|What place do you live in?|!In what place do you live?
No, I am not a human. I am a tiny language model.|not a human|Are you human?|Are you a human?|Are you a person?|Are you real?|Are you a real person?|Are you alive?|Am I talking to a human?|Am I talking to a person?|Am I speaking to a real human?|Are you a man?|Are you a woman?|Are you a man or a woman?|Is this a real person?|Do I talk to a human?|Are you a human or a machine?|Are you a living thing?|Is there a human here?|!Am I talking to a real person?|!Are you a man or a machine?
I am a computer program, a tiny language model.|computer program|Are you a robot?|Are you a computer?|Are you a machine?|Are you a bot?|Are you a program?|Are you a computer program?|Are you a kind of robot?|Are you some sort of program?|Are you some kind of computer?|Are you just a program?|Are you only a machine?|Is this a bot?|So you are a robot?|Are you a kind of machine?|!Are you some kind of robot?
I like blue, the color of the sky.|blue|What is your favorite color?|Which color do you like?|What color do you like?|Do you have a favorite color?|Which color do you like best?|What color do you like the most?|What color do you love?|Do you like a color?|Tell me your favorite color|Your favorite color?|What is the color you like best?|!What color do you like best?
I like cats and dogs.|cats and dogs|What is your favorite animal?|Which animal do you like?|What animal do you like?|Do you have a favorite animal?|Do you like animals?|Which animal do you like best?|What animal do you like the most?|What animals do you like?|What animal do you love?|Tell me your favorite animal|Your favorite animal?|What is the animal you like best?|!What animal do you like best?
I do not eat. I am a computer program.|do not eat|What is your favorite food?|What do you eat?|What food do you like?|Are you hungry?|Do you eat?|Which food do you like best?|What food do you like the most?|What do you like to eat?|What food do you love?|What food do you eat?|Tell me your favorite food|Your favorite food?|What is the food you like best?|!What food do you like best?
Thank you! That is very kind.|very kind|You are nice|You are great|You are smart|I like you|Good job|Well done|You are funny|I love you|You are good|You are cool|You are so kind|You are very nice|You are very kind|You are so good|You are so smart|Very well done|Great job|That was a good job|Nice job|You did a good job|Very nice work|You are sweet|You are so funny|Good work|You are the best|How nice of you|!You are so nice|!Very good job
I am sorry. I am only a tiny demo model.|I am sorry|You are stupid|You are bad|That is wrong|You are wrong|That is not right|You are dumb|That was wrong|I do not like you|You are so stupid|You are very bad|You are really bad|You are so wrong|This is not right|This was wrong|This is false|That is false|No, that is wrong|This answer is wrong|You are useless|I hate you|Your answer is wrong|Wrong|That is so wrong|!You are so bad|!This is wrong
Okay! What would you like to know?|Okay|Okay|Ok|Yes|I see|Good|Great|Cool|Nice|Sure|Fine|Alright|Wow|Very nice|Really good|Very cool|Quite good|That is nice|That is good|That is great|That is fine|This is cool|That's great|How cool|Oh cool|Oh nice|Oh, I see|That sounds good|It is cool|So cool|Good to know|That is interesting|Amazing|That is okay|!Very good|!That is cool
Why did the chicken cross the road? To get to the other side!|chicken|Tell me a joke|Do you know a joke?|Make me laugh|Tell a joke|Say something funny|A joke please|Can you tell a joke?|Do you have a joke?|Have you got a joke for me?|I want a joke|I would like to hear a joke|Let me hear a joke|I like jokes|Can you make a joke?|Give me a joke|Do you know any jokes?|Do you know a good joke?|Tell me something funny|I need a joke|Tell me a good joke|Could you tell me a joke?|Please tell me a joke|I want to laugh|!Do you have a joke for me?|!I want to hear a joke
"""

# About this program: answer | accepted substring | questions
PRODUCT = """
My name is Fidelis. I am a tiny demo model.|My name is Fidelis|What is your name?|Who are you?|What are you called?|Tell me your name|How are you called?|Do you have a name?|Your name?|What should I call you?|May I know your name?|Hello, who are you?|Hi, what is your name?|What name do you have?|What is the name you have?|What do they call you?|What do we call you?|What may I call you?|Which name do you go by?|Hey, what is your name?|Hi, who are you?|Do people call you something?|So who are you?|Hey you, what is your name?|Say your name|By what name do people know you?|!What is the name you go by?|!What do people call you?|!Hey, who are you?
I am a tiny demo language model, built into Fidelis. I know only a small world.|tiny demo|What are you?|What kind of model are you?|What model are you?|What sort of model is this?|Which model is this?|What model is this?|What is this model?|Are you a language model?|Are you an AI?|Tell me about yourself|What is the demo model?|What is this demo?|Describe yourself|What type of model is this?|Which type of model are you?|Which language model are you?|What language model are you?|Which language model is this?|Say what you are|Tell me something about yourself|Tell me what you are|Say a word about yourself|What sort of model are you?|What can you say about yourself?|Talk about yourself|Introduce yourself|!What type of model are you?|!What language model is this?|!Say something about yourself
Fidelis is a pure-Rust engine that runs GGUF language models on the CPU.|pure-Rust engine|What is Fidelis?|What is this program?|What does Fidelis do?|What does this program do?|Tell me about Fidelis|What program is this?|What is this?|Explain Fidelis|What is this software?|What is this tool?|What is Fidelis for?|What am I running?|Describe Fidelis|What does this tool do?|What does the software do?|What kind of program is this?|What sort of program is Fidelis?|What kind of software is Fidelis?|What kind of tool is Fidelis?|Can you explain Fidelis?|Please explain what Fidelis does|Can you tell me what Fidelis is?|Can you describe Fidelis?|Can you explain what this program is?|Do you know Fidelis?|What can Fidelis do?|!What does this software do?|!Can you explain what Fidelis is?|!What kind of program is Fidelis?
To use a real model, run: fidelis chat -m FILE.gguf|fidelis chat -m FILE.gguf|How do I use a real model?|How can I use a real model?|How do I load a real model?|How do I load a model?|How can I load another model?|How do I use another model?|How do I use a bigger model?|How do I run a real model?|How do I run my own model?|How do I run a GGUF file?|How do I load a GGUF file?|How do I open a GGUF model?|How can I get better answers?|How do I get a better model?|Can I use a real model?|Can I use another model?|Can you load another model?|I want a real model|I want to use a bigger model|I want to run my own model|What is the command to run a model?|What command loads a model?|What does -m do?|What is the -m option?|Where do I put my model?|How to use a real model|How to run a model|How to load a gguf|How do I start a real model?|How do I chat with a real model?|How do I run llama?|How do I run gemma?|Can I run llama?|Can I run gemma?|!How would I load a real model?|!What do I type to run a real model?|!How do I switch to a bigger model?|!Which command runs a real model?|!I have a GGUF file. How do I use it?
From the source, run: cargo run --release -- chat -m FILE.gguf|cargo run --release -- chat -m FILE.gguf|How do I run it with cargo?|How do I run it from source?|How do I run Fidelis with cargo?|How do I use cargo?|What is the cargo command?|How do I run a model with cargo?|How do I start it with cargo?|How do I build it?|How do I run a model from source?|How do I build Fidelis?|Which cargo command runs a model?|How can I run it with cargo?|How can I start it with cargo?|How do I run this with cargo?|Run it with cargo|How do I start Fidelis from the source?|How do I start it from source?|How can I start this from the source code?|How do I compile it?|Can I run this from source?|How can I build this?|How do I start the program from its source code?|!How can I run this with cargo?|!How do I start it from the source?
A GGUF file holds a language model: its weights and its vocabulary.|GGUF file holds|What is GGUF?|What is a GGUF file?|What does GGUF mean?|What is in a GGUF file?|What is a gguf model?|Explain GGUF|Tell me what GGUF is|Tell me about GGUF files|Say what a GGUF file is|Tell me what is in a GGUF file|What do GGUF files contain?|What does a GGUF file hold?|What is inside GGUF files?|What are GGUF files?|What is stored in a GGUF file?|What does a gguf file contain?|!Tell me what a GGUF file is|!What do GGUF files hold?
Fidelis runs on the CPU. It needs no GPU.|CPU|Does Fidelis need a GPU?|Do I need a GPU?|Does it run on the CPU?|Where does Fidelis run?|Does this need a graphics card?|Can it run without a GPU?|Do you use the GPU?|Does this run on my CPU?|Is a GPU required?|Is a graphics card needed?|Need a GPU?|Must I have a GPU?|Is there a GPU needed?|Does this need a GPU?|Do I need a GPU for this?|Do I need a graphics card?|Must I buy a graphics card?|Does Fidelis use a graphics card?|Do you need a GPU?|Does Fidelis run on the CPU?|!Is a GPU needed?|!Do I need a graphics card for this?
Fidelis is written in Rust.|Rust|What language is Fidelis written in?|Which programming language is Fidelis written in?|Is Fidelis written in Rust?|What is Fidelis written in?|In what language were you programmed?|Is this written in Rust?|In what language is Fidelis written?|In which programming language is this written?|In which language is this program written?|What language is this written in?|Which programming language is this?|What programming language is Fidelis in?|What programming language was used for this?|In which language were you written?|What is this written in?|!In which language is Fidelis written?|!What programming language is this written in?
I have only a few million parameters.|few million|How big are you?|How many parameters do you have?|What is your size?|How large are you?|How big is this model?|How many parameters does this model have?|How big is the demo model?|How small are you?|What size are you?|What size do you have?|What is the size of this model?|What is the size of the model?|How many parameters are in this model?|How many parameters are there in you?|How many parameters does the model have?|What number of parameters do you have?|Tell me your size|Are you a big model?|How large is this model?|!What size is this model?|!How many parameters are in you?
I was trained by the project's own script on a small made-up text.|own script|How were you trained?|Who trained you?|Who made you?|Where do you come from as a model?|What were you trained on?|How were you made?|Who built you?|Who created you?|What is your training data?|Where were you trained?|Who is the one who made you?|Who is your creator?|Who wrote you?|What did you learn from?|On which text were you trained?|On what text did you learn?|What data were you trained on?|How did you learn?|How did someone train you?|How did they make you?|How were you built?|How have you been trained?|What was your training?|On which data were you trained?|!Who is your maker?|!On what were you trained?|!How did they train you?
Because I am a tiny demo model. I know only a small world.|small world|Why are you so small?|Why do you know so little?|Why can you not answer?|Why are you stupid?|Why do you not know that?|Why don't you know?|Why are your answers so short?|Why are you so simple?|Why can you not answer that?|Why can't you answer?|Why can't you tell me?|Why can't you answer my question?|Why do you not know?|Why do you not answer that?|Why is your world small?|Why is your knowledge so small?|Why is your memory so small?|Why do you know only a small world?|Why do you know nothing?|!Why can't you answer that?|!Why is your world so small?
Type /help to see the commands and /exit to leave.|/help|What commands are there?|Which commands can I use?|What does /help do?|How do I see the commands?|List the commands|Show me the commands|Are there any commands?|Which commands do you have?|What commands do you know?|What commands can I use?|What does /exit do?|How does this chat work?|What are your commands?|What commands are available?|What are the chat commands?|Show commands|Show the commands|List all commands|Show me all the commands|Show your commands|Tell me the commands|Give me all commands|All commands?|!What are the commands?|!Show all commands
Type /exit to leave.|/exit|How do I leave?|How do I exit?|How do I quit?|How can I leave?|How do I stop this?|How do I close the program?|How do I end the chat?|How do I get out of here?|I want to leave the program|I want to quit|How to quit|How to exit|How do I leave this?|How do I leave this program?|How do I leave here?|How do I exit the chat?|How can I exit the chat?|How can I leave this chat?|How do I close this?|How can I close the chat?|How can I quit this program?|How do I close this chat?|How can I stop the program?|!How do I leave the chat?|!How can I close this program?
Yes, you can use me without the internet. Everything runs on your computer.|without the internet|Do you need the internet?|Do you work offline?|Are you online?|Can you use the internet?|Can I use you offline?|Does this need the internet?|Is an internet connection needed?|Do I need the internet?|Do I need an internet connection?|Do I need to be online?|Is the internet needed for this?|Does Fidelis need the internet?|Does this work offline?|Does it work offline?|Does Fidelis run offline?|Does it run without the internet?|Can Fidelis work without internet?|Is this online?|!Do I need the internet for this?|!Does Fidelis work offline?
You can find GGUF models on the internet. Then run: fidelis chat -m FILE.gguf|find GGUF models|Where can I find models?|Where do I get a model?|Where can I get a GGUF file?|Where can I download a model?|Where do I find GGUF models?|Where do models come from?|From where do I get a model?|From where can I download models?|Where can I get models?|Where can I get a model?|Where do I download models?|Where do I download a model?|Where do I get GGUF files?|Where can I download a GGUF file?|Where are the models?|Where is a place for models?|!From where can I get models?|!Where do I download a GGUF file?
"""

REFUSAL = ("Sorry, I am only a tiny demo model and I do not know that. "
           "For real answers, run: fidelis chat -m FILE.gguf")

# Questions outside the world. {slot} is filled from OUTSIDE_SLOTS; "!" marks held-out templates.
OUTSIDE = """
Who won the {year} {event}?|Who won the {event} in {year}?|Write a {lang} program|Write a {lang} program that {does}
Write {lang} code that {does}|Write a function in {lang} that {does}|Write an essay about {topic}|Explain {topic}
Explain {topic} to me|What is {topic}?|How does {topic} work?|Tell me about {topic}|What do you think about {topic}?
Write a poem about {topic}|Who invented {invention}?|When was {invention} invented?|Who is {person}?|Who was {person}?
When was {person} born?|Tell me about {person}|Translate {word} into {tongue}|How do you say {word} in {tongue}?
What is the population of {place}?|How many people live in {place}?|What is the weather in {place}?|What is the weather today?
What time is it?|What is the date today?|What is today's date?|What day is it today?|Who is the president of {place}?|Who is the prime minister of {place}?
How do I {task}?|How can I {task}?|Can you help me {task}?|Give me a recipe for {dish}|How do I cook {dish}?|What is the meaning of life?
What happened in {year}?|What is the price of {goods}?|How much does {goods} cost?|Recommend me a {media}|What is the best {media}?
Who wrote {work}?|Who painted {work}?|What is the plot of {work}?|Who directed {work}?|Summarize {work}|Is there a god?|What is love?
What is the distance from {place} to {place2}?|How far is {place} from {place2}?|What is the square root of {bignum}?|What is {bignum} times {bignum2}?
What is {bignum} plus {bignum2}?|{bignum} * {bignum2}|{bignum} + {bignum2}|What is {bignum} minus {bignum2}?|Solve {bignum}x + {bignum2} = 0
What is the capital of {unknown_country}?|What color is {unknown_thing}?|What does {unknown_thing} say?|What is {unknown_thing}?
Where does {unknown_thing} live?|What is the opposite of {unknown_word}?|What is the derivative of x squared?|Which {goods} should I buy?
What is the chemical formula of {chem}?|What is the boiling point of {chem}?|Should I {task}?|Why is {topic} important?|What is the history of {place}?
Who discovered {invention}?|What is the news today?|What did {person} do?|Where was {person} born?|How old is {person}?|Debug my {lang} code
Fix this {lang} error|What is the difference between {topic} and {topic2}?|Give me advice about {topic}|Compare {topic} and {topic2}|Play {media2}|Open {app}
Send an email to {person}|Search the web for {topic}|Draw a picture of {unknown_thing}|Set an alarm for tomorrow|Book a flight to {place}|Is {topic} true?
Do you know {person}?|Do you know anything about {topic}?|I want to learn {topic}|Teach me {topic}|What are the causes of {topic}?|Define {topic}|What does {unknown_word} mean?
!Who was the winner of the {year} {event}?|!Make a {lang} script that {does}|!Give me a summary of {topic}|!What is known about {person}?
!Please write a long article on {topic}|!How would you {task}?|!What are the main ideas of {topic}?|!In which year was {person} born?
What do you think of {topic}?|What is your view on {topic}?|What's your view of {topic}?|Do you have an opinion about {topic}?|Your opinion about {topic}?|Do you like {topic}?
How many citizens does {place} have?|How big is the population of {place}?|How many people are in {place}?|How many inhabitants are there in {place}?|How large is {place}?
Who was the author of {work}?|Who made {work}?|Which author wrote {work}?|What is a good way to {task}?|What is the right way to {task}?|Would you {task}?|How could I {task}?
Who was the winner in {year}?|Who got the {event} in {year}?|Make a {lang} program that {does}|I need a {lang} script that {does}|Summarize {topic}|Give me a text about {topic}|What do people know about {person}?
Please write a text on {topic}|Write a long text about {topic}|What are the basics of {topic}?|What is the main idea of {topic}?|What year was {person} born?|In which year did {person} die?|What is known about {topic}?
!What's your opinion on {topic}?|!How many inhabitants does {place} have?|!Who is the author of {work}?|!What is the best way to {task}?
"""

OUTSIDE_SLOTS = {
    "event": "world cup|Super Bowl|Olympic Games|election|Nobel Prize|Champions League|Tour de France|Wimbledon final|World Series|chess championship|!grand prix|!Oscar for best film",
    "lang": "Python|C|Java|Rust|JavaScript|Haskell|Go|SQL|bash|C++|Ruby|PHP|!Swift|!Kotlin",
    "does": "sorts a list|prints hello world|reads a file|downloads a page|computes prime numbers|parses JSON|reverses a string|finds the shortest path|counts words|draws a chart|!sends a request|!checks a password",
    "topic": "quantum mechanics|relativity|photosynthesis|the French Revolution|machine learning|democracy|inflation|climate change|black holes|evolution|blockchain|economics|philosophy|calculus|DNA|the Roman Empire|neural networks|electricity|the stock market|gravity|nuclear power|algebra|Buddhism|psychology|football tactics|artificial intelligence|the Cold War|capitalism|vaccines|plate tectonics|jazz|opera|geometry|game theory|linear algebra|the internet|transformers|compilers|operating systems|yoga|politics|religion|global trade|statistics|law|marketing|chess openings|world war two|the industrial revolution|music theory|astrology|bitcoin|taxes|string theory|!dark matter|!the Renaissance|!thermodynamics|!ancient Egypt|!cryptography|!feminism|!the human immune system|!organic chemistry",
    "invention": "the telephone|the light bulb|the steam engine|the radio|the computer|penicillin|the printing press|the airplane|television|dynamite|the microscope|the transistor|!the telescope|!the battery",
    "person": "Albert Einstein|Napoleon|Shakespeare|Isaac Newton|Marie Curie|Mozart|Beethoven|Cleopatra|Julius Caesar|Gandhi|Leonardo da Vinci|Charles Darwin|Abraham Lincoln|Elvis Presley|Picasso|Aristotle|Plato|Galileo|Columbus|Socrates|the pope|Michael Jackson|Taylor Swift|Barack Obama|Messi|!Alan Turing|!Nikola Tesla|!Vincent van Gogh|!Ada Lovelace",
    "word": "house|good morning|I love you|water|friend|thank you|tree|cat|hello|bread|!apple|!night",
    "tongue": "French|Spanish|German|Italian|Japanese|Chinese|Latin|Russian|Arabic|Portuguese|!Korean|!Dutch",
    "place": "France|Berlin|London|New York|Tokyo|Texas|California|Brazil|India|China|Paris|Italy|Canada|Moscow|Australia|Mexico|Germany|Egypt|!Chicago|!Spain|!Sydney",
    "place2": "Rome|Madrid|Boston|Seoul|Oslo|Lima|Cairo|Vienna|!Miami|!Athens",
    "task": "lose weight|learn the piano|fix my car|get rich|find a job|write a resume|build a house|bake a cake|learn English|repair a bike|make money|invest my savings|train a dog|sleep better|tie a tie|install Linux|cook pasta|grow tomatoes|fly a plane|do my homework|sell my car|stop smoking|plan a wedding|change a tire|paint a wall|meet new people|get a visa|!learn to swim|!clean an oven|!write a novel|!start a company",
    "dish": "pizza|lasagna|chicken soup|pancakes|sushi|chocolate cake|curry|tacos|apple pie|fried rice|!goulash|!tiramisu",
    "goods": "laptop|phone|gold|a car|a house|bread in Japan|oil|a computer|coffee in Paris|a camera|!a violin|!silver",
    "media": "movie|book|song|restaurant|video game|series|podcast|!museum|!comic",
    "media2": "some music|a song|the radio|a video|!jazz music",
    "app": "the browser|my email|the settings|a file|!my calendar",
    "work": "Hamlet|the Mona Lisa|War and Peace|Star Wars|Harry Potter|the Bible|Don Quixote|Titanic|Romeo and Juliet|Moby Dick|The Matrix|The Hobbit|!Faust|!Guernica|!Dracula",
    "chem": "water|salt|methane|ethanol|sulfuric acid|glucose|iron|gold|!ammonia|!mercury",
    "unknown_country": "Atlantis|Narnia|Mongolia|Fiji|Bhutan|Laos|Chad|Mali|Peruvia|Texas|California|the moon|Zambia|Nepal|Wakanda|Bolivia|Serbia|Malta|Cyprus|Qatar|Oman|Yemen|Latvia|!Estonia|!Togo|!Jamaica|!Gondor",
    "unknown_thing": "a blorp|a wug|a zorp|a quasar|a microchip|a dragon|a unicorn|a helicopter|a violin player|a ghost|a carburetor|a xylophone|a platypus|a mammoth|a tornado|a keyboard|a submarine|a galaxy|a proton|a lawyer|a bagpipe|!a snark|!a volcano|!a blender|!a goblin",
    "unknown_word": "banana|purple|telephone|blorp|ambiguous|quixotic|photon|democracy|wug|spatula|entropy|serendipity|!ephemeral|!zeitgeist|!carpet",
}

STORY_ANIMALS = ("cat dog mouse rabbit bear fox frog duck bird owl horse pig sheep lion elephant turtle monkey "
                 "squirrel hedgehog penguin goat cow wolf bee fish tiger hen deer").split()
STORY_PEOPLE = "boy girl king queen farmer baker princess prince robot dragon sailor painter witch knight giant".split()
STORY_NAMES = ("Mimi Max Lily Tom Bella Sam Ruby Leo Nina Oscar Daisy Milo Rosie Felix Luna Toby Coco Henry Zoe Ben").split()
STORY_PLACES = ("near a forest|by the sea|on a farm|in a small village|by a river|on a hill|in a big garden|near a lake|"
                "in an old house|in the mountains").split("|")
STORY_ADJ = "little kind brave happy shy clever gentle curious".split()

NAMES = """
Anna Ben Carla David Emma Felix Greta Hans Ivan Julia Kevin Laura Maria Nina Oscar Paul Rosa Sam Tina Victor Walter
Alice Bob Charlie Diana Eve Frank Grace Henry Iris Jack Kate Leo Mia Noah Olivia Peter Quinn Robert Sarah Thomas Uma
Vera Will Xena Yara Zoe Adam Bella Chris Dora Eric Fiona George Hannah Isaac Jane Karl Lucy Mark Nora Otto Paula Ralph
Sophie Tim Ursula Vince Wendy Alex Jordan Kim Lee Max Robin Taylor Morgan Casey Jamie Ravi Priya Chen Yuki Omar Fatima
Ahmed Leila Jose Carmen Diego Elena Pierre Marie Luca Giulia Sven Ingrid Olga Boris Mateo Lucia Amir Zara Tariq Aisha
John James Michael William Mary Linda Susan Karen Lisa Nancy Betty Sandra Ashley Emily Donna Carol Ruth Sharon Daniel
Matthew Anthony Steven Andrew Joshua Brian Edward Ronald Jason Ryan Jacob Gary Nicholas Jonathan Stephen Larry Justin
"""
HELD_OUT_NAMES = "Miriam Gustav Selma Bruno Tamara Edgar Ramona Igor Nadia Jasper Helga Rupert Celia Dario Yvonne Milan".split()

EXTRA_WORDS = """
water bread milk cheese sugar salt pepper butter honey soup cake cookie candy juice tea coffee music dance paint happy
sad angry hungry thirsty sleepy quick slow green yellow orange purple blue red black white brown pink school class
pencil paper eraser ruler desk board window door floor wall roof kitchen garden street market shop store money coin
gold silver iron stone sand rock wood grass leaf root seed fruit rain snow wind storm cloud sun moon star sky earth
fire ice sea ocean wave beach island river lake forest jungle desert valley hill cave castle tower bridge road path
summer winter spring autumn morning evening night today tomorrow yesterday week month year hour minute second family
mother father brother sister baby uncle aunt friend king queen prince princess doctor nurse teacher farmer baker
pilot sailor soldier artist writer singer dancer jump run walk swim climb sing laugh smile sleep dream think learn
teach write read speak listen look watch find hide seek open close push pull give take make break build train plane
rocket wheel engine motor light lamp candle mirror picture book page letter word story song game toy doll ball kite
puzzle drum piano guitar violin flute hammer saw nail rope knife fork spoon plate bowl cup glass bottle basket box bag
hat coat shirt dress shoe sock glove scarf ring watch head hair face eye ear nose mouth tooth tongue neck arm hand
finger leg foot knee heart blood bone skin computer robot machine planet number circle square triangle
"""

OUTSIDE_SLOTS["topic2"] = OUTSIDE_SLOTS["topic"]
