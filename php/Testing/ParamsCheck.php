<?php

declare(strict_types=1);

namespace Proletarier\Testing;

use Proletarier\Exception\MessageTooLarge;
use Proletarier\Exception\Unencodable;

/**
 * Checks and encodes the params of trigger(), as the extension's client does, with the same messages.
 */
final class ParamsCheck
{
    private const MAX_DEPTH = 128;

    private const JSON = JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_PRESERVE_ZERO_FRACTION | JSON_THROW_ON_ERROR;

    /**
     * The params as JSON.
     *
     * @param int $maxSize bytes of JSON: broker.max_message_size
     *
     * @throws Unencodable
     * @throws MessageTooLarge
     */
    public static function encode(array $params, int $maxSize): string
    {
        $json = json_encode(self::plain($params, 'params', 1), self::JSON);
        if (strlen($json) > $maxSize) {
            throw new MessageTooLarge(
                sprintf('params are %d bytes of JSON: at most %d are allowed (broker.max_message_size)', strlen($json), $maxSize)
            );
        }

        return $json;
    }

    /**
     * The value made of what JSON has. An empty map stays an object, so that {} is not turned into [].
     *
     * @param int $depth of the array or object that the value would be
     */
    private static function plain(mixed $value, string $path, int $depth): mixed
    {
        if (is_array($value) || is_object($value) && !$value instanceof \UnitEnum) {
            if ($depth > self::MAX_DEPTH) {
                // Without the path, which is longer than any message should be.
                throw new Unencodable(sprintf('params are nested deeper than %d levels, or contain themselves', self::MAX_DEPTH));
            }
        }
        if (is_array($value)) {
            return self::entries($value, $path, $depth);
        }
        if ($value instanceof \JsonSerializable) {
            $given = $value->jsonSerialize();
            if ($given !== $value) {
                return self::plain($given, $path, $depth);
            }
        }

        return match (true) {
            is_string($value) => preg_match('//u', $value) === 1 ? $value : throw new Unencodable("$path is not valid UTF-8"),
            is_float($value) => is_finite($value)
                ? $value
                : throw new Unencodable(sprintf('%s is %s, which JSON has no number for', $path, Shown::value($value))),
            $value instanceof \BackedEnum => $value->value,
            is_object($value) => self::object($value, $path, $depth),
            $value === null || is_scalar($value) => $value,
            default => throw new Unencodable(sprintf('%s is a resource, which has no meaning in another process', $path)),
        };
    }

    private static function object(object $value, string $path, int $depth): object
    {
        if ($value instanceof \Closure) {
            throw new Unencodable("$path is a Closure, which has no meaning in another process");
        }
        if ($value instanceof \UnitEnum) {
            throw new Unencodable(sprintf('%s is %s, an enum without values', $path, $value::class));
        }
        // The cast has DateTime's and ArrayObject's entries, too, as json_encode() does; keys of hidden properties begin with NUL.
        $properties = array_filter((array) $value, static fn ($name) => !str_starts_with((string) $name, "\0"), ARRAY_FILTER_USE_KEY);
        if ($properties === [] && !$value instanceof \stdClass && !$value instanceof \ArrayObject) {
            throw new Unencodable(sprintf('%s is %s: not JsonSerializable, no public properties', $path, $value::class));
        }

        return (object) self::entries($properties, $path, $depth);
    }

    private static function entries(array $entries, string $path, int $depth): array
    {
        $plain = [];
        foreach ($entries as $key => $value) {
            if (is_string($key) && preg_match('//u', $key) !== 1) {
                throw new Unencodable("$path has a key that is not valid UTF-8");
            }
            $plain[$key] = self::plain($value, is_int($key) ? "{$path}[$key]" : "{$path}['$key']", $depth + 1);
        }

        return $plain;
    }
}
