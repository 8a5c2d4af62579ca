"""media.generated in; the bytes into the bucket; media.stored out. Never asks a provider to make anything."""
