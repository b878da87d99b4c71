<?php

declare(strict_types=1);

namespace Proletarier\Tests\Unit;

use PHPUnit\Framework\TestCase;
use Proletarier\Exception\Configuration;
use Proletarier\Exception\InvalidArgument;
use Proletarier\Log;
use Proletarier\Tests\Fixture\PrivateProperties;
use Proletarier\Tests\PhpProcess;
use Psr\Log\LoggerInterface;

/**
 * The forms of a log line.
 */
final class LogTest extends TestCase
{
    private const TIME = '\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z';

    public function testText(): void
    {
        $line = self::logged(['format' => 'text'], static fn (Log $log) => $log->info('account created', [
            'id' => 7,
            'name' => 'Ada L.',
            'url' => 'https://example.org/?a=b',
            'empty' => '',
            'ok' => true,
            'float' => 2.0,
            'list' => ['ä', null],
        ]));

        self::assertMatchesRegularExpression('/^' . self::TIME . ' INFO  account created id=7 name="Ada L\." '
            . 'url=https:\/\/example\.org\/\?a=b empty="" ok=true float=2\.0 list=\["ä",null\]\n$/', $line);
    }

    public function testJson(): void
    {
        $line = self::logged(['format' => 'json'], static fn (Log $log) => $log->error('it failed', ['id' => 7, 'level' => 'x']));

        self::assertMatchesRegularExpression('/^\{"time":"' . self::TIME . '","level":"error","message":"it failed","id":7\}\n$/', $line);
    }

    public function testJsonWhereThereIsNoTerminal(): void
    {
        self::assertStringStartsWith('{"time":', self::logged([], static fn (Log $log) => $log->notice('x')));
    }

    public function testLinesAreOne(): void
    {
        $line = self::logged(['format' => 'text'], static fn (Log $log) => $log->info("a\nb", ['trace' => "#0\n#1", "bad" => "\xFF"]));

        self::assertStringEndsWith("a\\nb trace=\"#0\\n#1\" bad=\"\u{FFFD}\"\n", $line);
    }

    public function testFillsPlaceholders(): void
    {
        $line = self::logged(['format' => 'json'], static fn (Log $log) => $log->info('{a} and {b}, not {c}', ['a' => 'x', 'b' => 1]));

        self::assertStringContainsString('"message":"x and 1, not {c}"', $line);
    }

    public function testExceptionsAndObjects(): void
    {
        $error = new \RuntimeException('gone');
        $line = self::logged(['format' => 'json'], static fn (Log $log) => $log->info('x', [
            'exception' => $error,
            'object' => new PrivateProperties(),
        ]));

        self::assertStringContainsString(
            sprintf('"exception":"RuntimeException: gone at %s:%d"', __FILE__, $error->getLine()),
            $line
        );
        self::assertStringContainsString('"object":"Proletarier\\\\Tests\\\\Fixture\\\\PrivateProperties"', $line);
    }

    public function testLevel(): void
    {
        $all = static function (Log $log): void {
            foreach (['emergency', 'alert', 'critical', 'error', 'warning', 'notice', 'info', 'debug'] as $level) {
                $log->$level($level);
            }
        };

        self::assertSame(7, substr_count(self::logged([], $all), "\n"), 'info by default');
        self::assertSame(8, substr_count(self::logged(['level' => 'debug'], $all), "\n"));
        self::assertSame(4, substr_count(self::logged(['level' => 'error'], $all), "\n"));
    }

    /**
     * @dataProvider wrongSettings
     */
    public function testWrongSettings(array $settings, string $message): void
    {
        $this->expectException(Configuration::class);
        $this->expectExceptionMessage($message);
        Log::create($settings);
    }

    public static function wrongSettings(): iterable
    {
        yield [['level' => 'loud'], 'log.level: give one of emergency, alert,'];
        yield [['format' => 'xml'], "log.format: give 'text', 'json' or null"];
    }

    public function testWrongLevel(): void
    {
        $this->expectException(InvalidArgument::class);
        Log::create()->log('loud', 'x');
    }

    public function testIsAPsrLoggerWherePsrLogIs(): void
    {
        if (!interface_exists(LoggerInterface::class)) {
            self::markTestSkipped('psr/log is not installed');
        }
        self::assertInstanceOf(LoggerInterface::class, Log::create());
    }

    public function testNeedsNoPsrLog(): void
    {
        $process = PhpProcess::code(sprintf(<<<'PHP'
            spl_autoload_register(function ($class) {
                $file = %s . strtr(substr($class, 11), '\\', '/') . '.php';
                is_file($file) && require $file;
            });
            $log = Proletarier\Log::create(['format' => 'text']);
            $log->warning('hello', ['psr' => interface_exists('Psr\Log\LoggerInterface')]);
            PHP, var_export(dirname(__DIR__, 2) . '/php', true)), false);

        self::assertMatchesRegularExpression('/^' . self::TIME . ' WARNING hello psr=false\n$/', $process->errors);
    }

    private static function logged(array $settings, \Closure $write): string
    {
        $stream = fopen('php://memory', 'w+');
        $write(Log::create($settings, $stream));
        rewind($stream);

        return stream_get_contents($stream);
    }
}
