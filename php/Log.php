<?php

declare(strict_types=1);

namespace Proletarier;

use Proletarier\Exception\Configuration;
use Psr\Log\LoggerInterface;

/**
 * The daemon's log for PHP code: PSR-3 lines on stderr, in the form that broker and supervisor write.
 *
 *     2026-11-24T13:22:04.123Z INFO  account created id=7 name="Ada L."
 *     {"time":"2026-11-24T13:22:04.123Z","level":"info","message":"account created","id":7,"name":"Ada L."}
 *
 * create() gives a Psr\Log\LoggerInterface (1, 2 or 3) where psr/log is installed; without it the same methods work.
 */
class Log
{
    /** Levels of PSR-3, the most urgent first. */
    private const LEVELS = ['emergency', 'alert', 'critical', 'error', 'warning', 'notice', 'info', 'debug'];

    private const JSON = JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_PRESERVE_ZERO_FRACTION
        | JSON_INVALID_UTF8_SUBSTITUTE | JSON_PARTIAL_OUTPUT_ON_ERROR;

    /**
     * @param resource $stream
     */
    final private function __construct(private $stream, private int $threshold, private bool $json)
    {
    }

    /**
     * @param array{level?: string, format?: string|null} $settings the key `log`: level (info) and format, text or json (null: text on
     *     a terminal, else json)
     * @param resource|null $stream stderr, if not given
     */
    public static function create(array $settings = [], $stream = null): self
    {
        $level = $settings['level'] ?? 'info';
        $format = $settings['format'] ?? null;
        $stream ??= fopen('php://stderr', 'a');

        $threshold = array_search($level, self::LEVELS, true);
        if ($threshold === false) {
            throw new Configuration(sprintf('log.level: give one of %s', implode(', ', self::LEVELS)));
        }
        if (!in_array($format, [null, 'text', 'json'], true)) {
            throw new Configuration("log.format: give 'text', 'json' or null (text on a terminal, else json)");
        }
        $class = interface_exists(LoggerInterface::class) ? Log\PsrLog::class : self::class;

        return new $class($stream, $threshold, $format === null ? !stream_isatty($stream) : $format === 'json');
    }

    public function emergency($message, array $context = []): void
    {
        $this->log('emergency', $message, $context);
    }

    public function alert($message, array $context = []): void
    {
        $this->log('alert', $message, $context);
    }

    public function critical($message, array $context = []): void
    {
        $this->log('critical', $message, $context);
    }

    public function error($message, array $context = []): void
    {
        $this->log('error', $message, $context);
    }

    public function warning($message, array $context = []): void
    {
        $this->log('warning', $message, $context);
    }

    public function notice($message, array $context = []): void
    {
        $this->log('notice', $message, $context);
    }

    public function info($message, array $context = []): void
    {
        $this->log('info', $message, $context);
    }

    public function debug($message, array $context = []): void
    {
        $this->log('debug', $message, $context);
    }

    public function log($level, $message, array $context = []): void
    {
        $severity = array_search($level, self::LEVELS, true);
        if ($severity === false) {
            throw new Exception\InvalidArgument(sprintf('a log level is one of %s', implode(', ', self::LEVELS)));
        }
        if ($severity > $this->threshold) {
            return;
        }
        $time = (new \DateTimeImmutable('now', new \DateTimeZone('UTC')))->format('Y-m-d\TH:i:s.v\Z');
        $fields = array_map(self::field(...), $context);
        $message = self::interpolate((string) $message, $fields);
        $line = $this->json
            ? json_encode(['time' => $time, 'level' => $level, 'message' => $message] + $fields, self::JSON)
            : sprintf('%s %-5s %s', $time, strtoupper($level), self::oneLine($message)) . self::pairs($fields);

        // One write a line: lines of several processes must not mix.
        fwrite($this->stream, $line . "\n");
    }

    /**
     * What is written for a value of the context.
     */
    private static function field(mixed $value): mixed
    {
        return match (true) {
            $value instanceof \Throwable => sprintf(
                '%s: %s at %s:%d',
                $value::class,
                $value->getMessage(),
                $value->getFile(),
                $value->getLine()
            ),
            $value instanceof \DateTimeInterface => $value->format(\DATE_RFC3339_EXTENDED),
            $value instanceof \JsonSerializable, $value instanceof \BackedEnum, $value instanceof \stdClass => $value,
            $value instanceof \Stringable => (string) $value,
            is_object($value), is_resource($value) => get_debug_type($value),
            default => $value,
        };
    }

    /**
     * PSR-3's placeholders: {name} stands for the context's value of that name.
     */
    private static function interpolate(string $message, array $fields): string
    {
        if (!str_contains($message, '{')) {
            return $message;
        }
        $replacements = [];
        foreach ($fields as $name => $value) {
            $replacements['{' . $name . '}'] = is_string($value) ? $value : json_encode($value, self::JSON);
        }

        return strtr($message, $replacements);
    }

    private static function pairs(array $fields): string
    {
        $text = '';
        foreach ($fields as $name => $value) {
            $plain = is_string($value) && preg_match('/^[^\s"\p{Cc}]+$/u', $value) === 1;
            $text .= sprintf(' %s=%s', $name, $plain ? $value : json_encode($value, self::JSON));
        }

        return $text;
    }

    private static function oneLine(string $message): string
    {
        return strtr($message, ["\r\n" => '\n', "\n" => '\n', "\r" => '\n']);
    }
}
