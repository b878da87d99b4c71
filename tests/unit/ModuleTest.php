<?php

declare(strict_types=1);

namespace Proletarier\Tests\Unit;

use PHPUnit\Framework\TestCase;
use Proletarier\Tests\PhpProcess;

/**
 * The command line through an MVC application, in processes of their own: they end by it.
 */
final class ModuleTest extends TestCase
{
    /**
     * @dataProvider frameworks
     */
    public function testRunsTheCommandAndExits(string $framework): void
    {
        $process = self::application($framework, 'proletarier', 'run', '--workers=2');

        self::assertSame("run with 2 workers\n", $process->output, $process->errors);
        self::assertSame(3, $process->status);
    }

    public static function frameworks(): iterable
    {
        yield ['Laminas'];
        yield ['Zend'];
    }

    public function testFailureIsPrintedAndTheStatus(): void
    {
        $process = self::application('Laminas', 'proletarier', 'run', '--workers=none');

        self::assertSame('', $process->output);
        self::assertStringContainsString("--workers: 'none' is not allowed: give an integer, 1 or more", $process->errors);
        self::assertSame(1, $process->status);
    }

    public function testUnknownCommand(): void
    {
        $process = self::application('Laminas', 'proletarier', 'rum');

        self::assertStringContainsString('Command "rum" is not defined', $process->output . $process->errors);
        self::assertSame(1, $process->status);
    }

    /**
     * @dataProvider others
     */
    public function testLeavesOtherRequestsAlone(string ...$arguments): void
    {
        $process = self::application('Laminas', ...$arguments);

        self::assertSame(["the home page\n", 0], [$process->output, $process->status]);
    }

    public static function others(): iterable
    {
        yield 'none' => [];
        yield 'another command' => ['cache', 'proletarier'];
    }

    public function testLeavesWebRequestsAlone(): void
    {
        // The SAPI cannot be changed in a test; that it is asked, before argv, can be seen.
        $source = file_get_contents(dirname(__DIR__, 2) . '/php/Module.php');

        self::assertStringContainsString("if (PHP_SAPI !== 'cli' || (\$_SERVER['argv'][1] ?? null) !== 'proletarier') {", $source);
    }

    public function testNamesNoClassOfAFramework(): void
    {
        $process = PhpProcess::code(<<<'PHP'
            $module = new Proletarier\Module();
            $module->onBootstrap(new stdClass());
            $module->getConfig();
            $module->getConsoleUsage(new stdClass());
            echo implode(' ', array_filter(get_declared_classes(), fn ($class) => preg_match('/^(Zend|Laminas)\b/', $class)));
            PHP);

        self::assertSame(['', ''], [$process->output, $process->errors]);
    }

    private static function application(string $framework, string ...$arguments): PhpProcess
    {
        return PhpProcess::run([dirname(__DIR__) . '/Fixture/mvc.php', ...$arguments, "--framework=$framework"]);
    }
}
